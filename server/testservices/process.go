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

// Process is one running program that a test started.
type Process struct {
	name   string
	cmd    *exec.Cmd
	output tail
	ended  chan struct{}
}

// StartProcess starts cmd and sees to it that the stop signal is sent when the test ends, or SIGKILL when that doesn't
// help. It dies with this process too, should that be killed. Its output is shown if the test fails.
func StartProcess(tb testing.TB, name string, cmd *exec.Cmd, stop os.Signal) (*Process, error) {
	tb.Helper()
	p := &Process{name: name, cmd: cmd, ended: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = &p.output
	}
	cmd.Stderr = &p.output
	cmd.WaitDelay = 3 * time.Second // a child of a killed process may still hold its output
	dieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	go func() {
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
		close(p.ended)
	}()
	tb.Cleanup(func() {
		p.Stop(stop)
		if tb.Failed() {
			if out := p.output.String(); out != "" {
				tb.Logf("the end of what %s said:\n%s", name, out)
			}
		}
	})
	return p, nil
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Output returns the last part of what the process wrote to its standard output and error.
func (p *Process) Output() string { return p.output.String() }

// Ended is closed once the process is gone.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Kill ends the process at once, as a crash would, and returns once it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // an error means it has ended already
	<-p.ended
}

// Stop sends the signal and returns how the process ended; one that doesn't end in time is killed.
func (p *Process) Stop(sig os.Signal) *os.ProcessState {
	_ = p.cmd.Process.Signal(sig) // an error means it has ended already
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
		p.Kill()
	}
	return p.cmd.ProcessState
}

// Await asks ready until it answers nil, and fails when the process ends first or takes too long.
func (p *Process) Await(ready func() error) error {
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
func (p *Process) endError() error {
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
