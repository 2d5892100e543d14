package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/testservices"
)

// TestUpgradeKilled kills the old process in the middle of an upgrade, under load, as the kernel does that is out of memory.
// Afterwards either the new process serves, or no process is left and the gateway can be started again; and what was acknowledged
// is there, once.
func TestUpgradeKilled(t *testing.T) {
	testservices.NeedTime(t, "a load for each moment of an upgrade in which the old process is killed")
	anything := func(*testing.T, *replacement) {}
	for _, test := range []struct {
		name   string
		before func(*testing.T, *replacement)
		// moment returns when the old process is to be killed.
		moment func(*testing.T, *replacement)
		after  func(*testing.T, *replacement)
		serves bool // the new process does
	}{
		{"the new one hasn't taken the sockets", late, started, anything, false},
		{"the old one waits for its requests", stopped, func(t *testing.T, r *replacement) {
			started(t, r)
			time.Sleep(2 * time.Second) // the new one is prepared
		}, goingOn, false},
		{"the new one starts its workers", anything, hasWorkers, anything, true},
		{"idle connections are passed", idle, func(t *testing.T, r *replacement) {
			if err := <-r.ended; err != nil {
				t.Fatal(err)
			}
		}, notIdle, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &replacement{gateway: startUpgradable(t, bundledApp("", "")), ended: make(chan error, 1)}
			r.old = r.process.PID()
			l := startLoad(t, r.url(), 8)
			time.Sleep(300 * time.Millisecond) // of load
			r.workersBefore = r.workers()
			test.before(t, r)
			r.begin()
			test.moment(t, r)
			serves := r.killOld(t, func() { test.after(t, r) })
			if serves != test.serves {
				t.Errorf("the new process serves: %v, want %v", serves, test.serves)
			}
			r.verify(t, l)
		})
	}
	t.Run("at any time", func(t *testing.T) {
		for range 8 {
			r := &replacement{gateway: startUpgradable(t, bundledApp("", "")), ended: make(chan error, 1)}
			r.old = r.process.PID()
			l := startLoad(t, r.url(), 4)
			idle(t, r)
			r.begin()
			d := rand.N(1500 * time.Millisecond)
			time.Sleep(d)
			t.Logf("killed after %s: the new process serves: %v", d, r.killOld(t, func() {}))
			notIdle(t, r)
			r.verify(t, l)
		}
	})
}

// replacement is a gateway whose process is being replaced.
type replacement struct {
	*gateway
	old           int // its process
	workersBefore []int
	ended         chan error // gets what became of the command
	idle          []net.Conn
}

// begin has the process replaced, without waiting.
func (r *replacement) begin() {
	go func() {
		out, err := r.tryUpgrade("--address", r.admin)
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		r.ended <- err
	}()
}

// successor is the process that isn't the old one nor one of its workers; 0: there is none yet.
func (r *replacement) successor() int {
	for _, pid := range r.processes() {
		if p := parent(pid); p == r.old && !slices.Contains(r.workersBefore, pid) {
			return pid
		}
	}
	return 0
}

// killOld kills the old process, does what is to follow, and waits until it is clear whether the new one serves; if not, the gateway
// is started again.
func (r *replacement) killOld(t *testing.T, after func()) (serves bool) {
	t.Helper()
	_ = syscall.Kill(r.old, syscall.SIGKILL) // it may have ended just now
	gone(t, r.old)
	after()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if len(r.processes()) == 0 {
			r.start()
			t.Cleanup(func() { endAll(r.gateway) })
			return false
		}
		res, err := (&http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}).Get(r.url() + "/health")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return true
			}
		}
		if time.Now().After(end) {
			t.Fatalf("nobody serves, and the processes %v are left: %v", r.processes(), err)
		}
	}
}

// verify ends the load, and checks what is stored and who is there.
func (r *replacement) verify(t *testing.T, l *load) {
	t.Helper()
	time.Sleep(300 * time.Millisecond) // of load
	l.end()
	for _, c := range l.clients {
		for _, f := range c.wrong {
			t.Errorf("client %d: %s", c.number, f)
		}
	}
	l.check(t, r.url())
	workers := r.workers()
	if len(workers) != 2 {
		t.Errorf("there are the workers %v", workers)
	}
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		left := slices.DeleteFunc(r.processes(), func(pid int) bool { return slices.Contains(workers, pid) })
		if len(left) == 1 && parent(workers[0]) == left[0] {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("beside the workers there are the processes %v", left)
		}
	}
}

// late has the new process take its time before it does anything.
func late(t *testing.T, r *replacement) {
	late := r.program + ".late"
	rename(t, r.program, late)
	write(t, r.program, "#!/bin/sh\nsleep 2\nmv "+late+" "+r.program+"\nexec "+r.program+" \"$@\"\n")
}

// stopped has the workers answer nothing.
func stopped(_ *testing.T, r *replacement) {
	for _, pid := range r.workersBefore {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
}

func goingOn(_ *testing.T, r *replacement) {
	for _, pid := range r.workersBefore {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
}

// started waits until there is a new process.
func started(t *testing.T, r *replacement) {
	for end := time.Now().Add(20 * time.Second); r.successor() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no process is started")
		}
	}
}

// hasWorkers waits until the new process has started a worker.
func hasWorkers(t *testing.T, r *replacement) {
	started(t, r)
	next := r.successor()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		for _, pid := range r.processes() {
			if parent(pid) == next {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatal("it starts no worker")
		}
	}
}

// idle makes connections that have been used and are kept.
func idle(t *testing.T, r *replacement) {
	for range 200 {
		c, err := net.Dial("tcp", r.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		r.idle = append(r.idle, c)
		if err := r.askOn(c); err != nil {
			t.Fatal(err)
		}
	}
}

// notIdle uses these connections again: each is answered as it should be, or it is over.
func notIdle(t *testing.T, r *replacement) {
	kept := 0
	for _, c := range r.idle {
		switch err := r.askOn(c); {
		case err == nil:
			kept++
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		default:
			t.Errorf("a kept connection: %v", err)
		}
	}
	t.Logf("%d of %d kept connections live on", kept, len(r.idle))
}

func (r *replacement) askOn(c net.Conn) error {
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := fmt.Fprintf(c, "GET /parse/health HTTP/1.1\r\nHost: %s\r\n\r\n", r.address); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d %s: %w", res.StatusCode, body, err)
	}
	return nil
}
