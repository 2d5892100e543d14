//go:build unix

package succession

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/parsescale/parsescale/caddymodule/socketpair"
)

// Predecessor is the process whose place this one is to take.
type Predecessor struct {
	link   *link
	stderr *os.File // where to print once this process serves
	gone   chan struct{}
}

// Inherit returns the process whose place this one is to take, and puts its sockets among those from which listeners accept,
// which are shut. It returns nil if this process was started in another way. It is called once, before any listener is made.
func Inherit(sockets *Sockets) (*Predecessor, error) {
	value, ok := os.LookupEnv(variable)
	if !ok {
		return nil, nil
	}
	_ = os.Unsetenv(variable) // it isn't for the processes that this one starts
	a, b, _ := strings.Cut(value, ",")
	linkFD, err := strconv.Atoi(a)
	stderrFD, err2 := strconv.Atoi(b)
	if err := errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("cannot understand %s: %w", variable, err)
	}
	unix.CloseOnExec(linkFD)
	unix.CloseOnExec(stderrFD)
	c, err := socketpair.Take(os.NewFile(uintptr(linkFD), "link"))
	if err != nil {
		return nil, fmt.Errorf("cannot reach the process whose place this one is to take: %w", err)
	}
	p := &Predecessor{link: &link{UnixConn: c}, stderr: os.NewFile(uintptr(stderrFD), "stderr"), gone: make(chan struct{})}
	if err := p.take(sockets); err != nil {
		return nil, fmt.Errorf("cannot take over the listening sockets: %w", err)
	}
	sockets.Shut()
	return p, nil
}

// take receives the listening sockets.
func (p *Predecessor) take(sockets *Sockets) error {
	_ = p.link.SetReadDeadline(time.Now().Add(sendTimeout))
	defer p.link.SetReadDeadline(time.Time{})
	m, f, err := p.link.receive()
	if f != nil {
		_ = f.Close()
	}
	if err != nil {
		return err
	}
	if m.Word != wordSockets || m.Version != version {
		return fmt.Errorf("the old process speaks version %d, and this one %d: stop it and start the new one", m.Version, version)
	}
	for range m.Count {
		m, f, err := p.link.receive()
		if err != nil {
			return err
		}
		if m.Word != wordSocket || f == nil {
			return fmt.Errorf("%q came without a socket", m.Word)
		}
		l, err := net.FileListener(f)
		_ = f.Close()
		if err != nil {
			return err
		}
		tcp, ok := l.(*net.TCPListener)
		if !ok {
			_ = l.Close()
			return fmt.Errorf("the socket of %s isn't one of TCP", m.Address)
		}
		sockets.inherit(m.Address, tcp)
	}
	return nil
}

// Await says that this process is prepared, and returns when it may go on.
func (p *Predecessor) Await() error {
	err := p.link.send(message{Word: wordPrepared}, nil)
	if err == nil {
		var m message
		var f *os.File
		m, f, err = p.link.receive()
		if f != nil {
			_ = f.Close()
		}
		if err == nil && m.Word != wordGo {
			err = fmt.Errorf("%q isn't what was waited for", m.Word)
		}
	}
	if err != nil {
		return fmt.Errorf("cannot take the place of the old process: %w", err)
	}
	return nil
}

// Serve says that this process serves, and takes what the old one passes on. It doesn't wait. From here on this process
// prints where the old one did.
func (p *Predecessor) Serve(h Handler) {
	_ = replaceStderr(p.stderr) // else what is printed is lost when the old process ends
	_ = p.stderr.Close()
	_ = p.link.send(message{Word: wordServing}, nil) // if it is gone, this process is alone
	go func() {
		defer close(p.gone)
		defer p.link.Close()
		for {
			m, f, err := p.link.receive()
			if err != nil {
				return
			}
			if f == nil {
				continue
			}
			c, err := net.FileConn(f)
			_ = f.Close()
			if err != nil {
				continue
			}
			switch m.Word {
			case wordConnection:
				h.Connection(m.Address, c, m.Bytes)
			case wordRequest:
				h.Request(m.Bytes, c)
			default:
				_ = c.Close()
			}
		}
	}()
}

// Gone is closed when the old process has ended, after Serve.
func (p *Predecessor) Gone() <-chan struct{} { return p.gone }
