package testservices

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// startTimeout bounds how long a server may take until it answers. A loaded machine is slow, a stuck server is forever.
const startTimeout = 60 * time.Second

// stopTimeout bounds how long a server may take to end by itself before it is killed.
const stopTimeout = 10 * time.Second

// process is one running server.
type process struct {
	name   string
	cmd    *exec.Cmd
	output tail
	ended  chan struct{}
}

// startProcess starts cmd and sees to it that stop is sent when the test ends, or SIGKILL when that doesn't help. It
// dies with this process too, should that be killed.
func startProcess(tb testing.TB, name string, cmd *exec.Cmd, stop os.Signal) (*process, error) {
	tb.Helper()
	p := &process{name: name, cmd: cmd, ended: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = &p.output
	}
	cmd.Stderr = &p.output
	dieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	go func() {
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
		close(p.ended)
	}()
	tb.Cleanup(func() {
		p.stop(stop)
		if tb.Failed() {
			if out := p.output.String(); out != "" {
				tb.Logf("the end of what %s said:\n%s", name, out)
			}
		}
	})
	return p, nil
}

// stop ends the process and returns once it is gone.
func (p *process) stop(sig os.Signal) {
	_ = p.cmd.Process.Signal(sig) // an error means it has ended already
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// await asks ready until it answers nil, and fails when the process ends first or takes too long.
func (p *process) await(ready func() error) error {
	deadline := time.Now().Add(startTimeout)
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return p.endError()
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("cannot start %s: no answer within %s: %w\n%s", p.name, startTimeout, err, p.output.String())
		}
	}
}

// endError says how the process ended that should have served. It has ended.
func (p *process) endError() error {
	return fmt.Errorf("cannot start %s: it ended (%s):\n%s", p.name, p.cmd.ProcessState, p.output.String())
}

// tail keeps the last part of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailSize = 16 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - tailSize; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.buf))
}

// FreePort returns a loopback TCP port that was free a moment ago.
func FreePort(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("cannot find a free port: %v", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// retryStart calls start with a free port, a few times: between choosing a port and listening on it another process may
// have taken it.
func retryStart(tb testing.TB, start func(port int) error) {
	tb.Helper()
	var err error
	for range 3 {
		if err = start(FreePort(tb)); err == nil {
			return
		}
	}
	tb.Fatal(err)
}
