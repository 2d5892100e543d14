//go:build unix

package supervisor

import (
	"context"
	"sync"
	"syscall"
	"testing"
	"time"
)

// heldSessions are at a database that doesn't let go of them before it is told to.
type heldSessions struct {
	release     chan struct{}
	mu          sync.Mutex
	made, ended []string
}

func (s *heldSessions) Session(worker string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made = append(s.made, "gateway/"+worker)
	return "gateway/" + worker
}

func (s *heldSessions) EndSessions(ctx context.Context, session string) error {
	s.mu.Lock()
	s.ended = append(s.ended, session)
	s.mu.Unlock()
	select {
	case <-s.release:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestSessionsOfDeadWorker: what a dead worker prepared stays in doubt until the database has let go of its sessions; the
// next worker serves meanwhile.
func TestSessionsOfDeadWorker(t *testing.T) {
	sessions := &heldSessions{release: make(chan struct{})}
	h := start(t, childOptions{}, func(o *Options) { o.Sessions, o.Count = sessions, 1 })
	if _, err := h.get("/prepare"); err != nil {
		t.Fatal(err)
	}
	pid := h.Status()[0].PID
	syscall.Kill(pid, syscall.SIGKILL)
	until(t, "restart", 20*time.Second, func() bool {
		now := h.Status()[0]
		return now.State == Ready && now.PID != pid
	})
	if h.hub.Live() || h.opened.Load() != 1 {
		t.Errorf("live %v, %d changes in doubt, while the database may still commit them", h.hub.Live(), h.opened.Load())
	}
	close(sessions.release)
	until(t, "the end of the doubt", 20*time.Second, func() bool { return h.hub.Live() && h.opened.Load() == 0 })
	if len(sessions.ended) != 1 || sessions.ended[0] != "gateway/worker-1.1" {
		t.Errorf("ended were %q", sessions.ended)
	}
	if err := h.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if len(sessions.ended) != 1 {
		t.Errorf("a worker that was drained closes its sessions itself, but ended were %q", sessions.ended)
	}
}

// TestNamesOfSessions: no process gets the name of another whose sessions are still being ended, though slots' names come again.
func TestNamesOfSessions(t *testing.T) {
	sessions := &heldSessions{release: make(chan struct{})}
	h := start(t, childOptions{}, func(o *Options) { o.Sessions, o.Count = sessions, 1 })
	if _, err := h.get("/prepare"); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(h.Status()[0].PID, syscall.SIGKILL)
	if err := h.Scale(0); err != nil {
		t.Fatal(err)
	}
	until(t, "the end of the slot", 20*time.Second, func() bool { return len(h.Status()) == 0 })
	if err := h.Scale(1); err != nil {
		t.Fatal(err)
	}
	until(t, "a new worker", 20*time.Second, func() bool { s := h.Status(); return len(s) == 1 && s[0].State == Ready })
	sessions.mu.Lock()
	seen := map[string]bool{}
	for _, name := range sessions.made {
		if seen[name] {
			t.Errorf("two processes have the sessions %s", name)
		}
		seen[name] = true
	}
	sessions.mu.Unlock()
	close(sessions.release)
	until(t, "the end of the doubt", 20*time.Second, h.hub.Live)
}

// TestStopInDoubt: a supervisor that stops while the database can't say what became of a dead worker's sessions leaves their writes
// in doubt: nobody may be told that all is settled.
func TestStopInDoubt(t *testing.T) {
	sessions := &heldSessions{release: make(chan struct{})}
	h := start(t, childOptions{}, func(o *Options) { o.Sessions, o.Count = sessions, 1 })
	if _, err := h.get("/prepare"); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(h.Status()[0].PID, syscall.SIGKILL)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := h.Stop(ctx); err != nil {
		t.Error(err)
	}
	if h.hub.Live() || h.opened.Load() != 1 {
		t.Errorf("live %v, %d writes in doubt", h.hub.Live(), h.opened.Load())
	}
}
