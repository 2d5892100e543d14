//go:build unix

package succession

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/parsescale/parsescale/caddymodule/socketpair"
)

// variable tells a process that it was started to take another's place: the descriptors of the link and of the file to
// which it is to print once it serves.
const variable = "PARSESCALE_PREDECESSOR"

// sendTimeout bounds each message. They are short, and the other process does nothing but read them.
const sendTimeout = 5 * time.Second

// Successor is the process that is to take this one's place.
type Successor struct {
	link     *link
	process  *os.Process
	printed  words
	prepared chan struct{}
	serving  chan struct{}
	ended    chan struct{} // closed when it is gone, and all that it printed is read
	status   string        // how it ended; written before ended is closed

	kill sync.Once
	lost atomic.Bool // nothing can be sent any more
}

// Start starts the process and gives it the sockets.
func Start(o Options) (*Successor, error) {
	sockets, err := o.Sockets.all()
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, f := range sockets {
			_ = f.Close()
		}
	}()
	ours, theirs, err := socketpair.New("the new process")
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	s := &Successor{link: &link{UnixConn: ours}, prepared: make(chan struct{}), serving: make(chan struct{}), ended: make(chan struct{})}
	if err := s.run(o.Command, theirs); err != nil {
		_ = ours.Close()
		return nil, err
	}
	err = s.send(message{Word: wordSockets, Version: version, Count: len(sockets)}, nil)
	for address, f := range sockets {
		if err == nil {
			err = s.send(message{Word: wordSocket, Address: address}, f)
		}
	}
	if err != nil {
		s.Kill()
		<-s.ended
		return nil, fmt.Errorf("cannot pass the listening sockets to the new process: %w", err)
	}
	go s.listen()
	return s, nil
}

// run starts the process. What it prints comes through here until it serves; then it prints by itself.
func (s *Successor) run(command []string, theirs *os.File) error {
	printed, prints, err := os.Pipe()
	if err != nil {
		return err
	}
	defer prints.Close()
	cmd := exec.Command(command[0], command[1:]...) //nolint:gosec // it is what this process was started with
	cmd.Stdout, cmd.Stderr = os.Stdout, prints
	cmd.ExtraFiles = []*os.File{theirs, os.Stderr}
	cmd.Env = append(withoutVariable(os.Environ()), variable+"=3,4")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		_ = printed.Close()
		return fmt.Errorf("cannot start the new process: %w", err)
	}
	s.process = cmd.Process
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer printed.Close()
		buf := make([]byte, 4096)
		for {
			n, err := printed.Read(buf)
			s.printed.add(buf[:n])
			_, _ = os.Stderr.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	go func() {
		err := cmd.Wait()
		s.status = "it ended by itself"
		if err != nil {
			s.status = err.Error()
		}
		// What it has started may still hold its end.
		_ = printed.SetReadDeadline(time.Now().Add(time.Second))
		<-read
		close(s.ended)
	}()
	return nil
}

func withoutVariable(env []string) []string {
	rest := make([]string, 0, len(env)+1)
	for _, v := range env {
		if !strings.HasPrefix(v, variable+"=") {
			rest = append(rest, v)
		}
	}
	return rest
}

// listen hears what the process says, in the order of its life.
func (s *Successor) listen() {
	for _, next := range []struct {
		word string
		said chan struct{}
	}{{wordPrepared, s.prepared}, {wordServing, s.serving}} {
		m, f, err := s.link.receive()
		if f != nil {
			_ = f.Close()
		}
		if err != nil || m.Word != next.word {
			return // it has ended, or is no program of ours: whoever waits has a time limit
		}
		close(next.said)
	}
}

func (s *Successor) send(m message, with syscall.Conn) error {
	if s.lost.Load() {
		return net.ErrClosed
	}
	_ = s.link.SetWriteDeadline(time.Now().Add(sendTimeout))
	err := s.link.send(m, with)
	if err != nil {
		s.lost.Store(true) // it may have got a part
	}
	return err
}

// Prepared is closed when the process is as ready as it can be while this one serves.
func (s *Successor) Prepared() <-chan struct{} { return s.prepared }

// Serving is closed when it answers.
func (s *Successor) Serving() <-chan struct{} { return s.serving }

// Ended is closed when it is gone.
func (s *Successor) Ended() <-chan struct{} { return s.ended }

// PID is its process id.
func (s *Successor) PID() int { return s.process.Pid }

// Go tells it that it may take what only one process can have.
func (s *Successor) Go() error { return s.send(message{Word: wordGo}, nil) }

// Kill ends it at once; Ended tells when that is done.
func (s *Successor) Kill() {
	s.kill.Do(func() { _ = s.process.Kill() }) // it may be gone
}

// Reason says why it ended, once it has.
func (s *Successor) Reason() string {
	if last := s.printed.last(); last != "" {
		return fmt.Sprintf("%s (%s)", last, s.status)
	}
	return s.status
}

// Give passes an idle connection on, with what was read from it and not used. It returns false if that can't be done; then
// the connection is still here.
func (s *Successor) Give(address string, c net.Conn, unread []byte) bool {
	tcp, ok := c.(*net.TCPConn)
	if !ok || s.send(message{Word: wordConnection, Address: address, Bytes: unread}, tcp) != nil {
		return false
	}
	_ = tcp.Close() // the other process has it
	return true
}

// Connect makes a connection to the process for one request; about tells it what it needs to know of the request.
func (s *Successor) Connect(about []byte) (net.Conn, error) {
	ours, theirs, err := socketpair.New("a request")
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	if err := s.send(message{Word: wordRequest, Bytes: about}, theirs); err != nil {
		_ = ours.Close()
		return nil, errors.Join(errors.New("cannot pass a request to the new process"), err)
	}
	return ours, nil
}
