package gate

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestShutIsAlone shuts and opens the gate while many pass it: nobody is inside while it is shut, and everybody comes through.
func TestShutIsAlone(t *testing.T) {
	var g Gate
	var inside, passed atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 2000 {
				if in, err := g.Enter(context.Background()); !in || err != nil {
					t.Errorf("not let in: %v, %v", in, err)
					return
				}
				inside.Add(1)
				inside.Add(-1)
				g.Leave()
				passed.Add(1)
			}
		})
	}
	for range 200 {
		if err := g.Shut(context.Background()); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if n := inside.Load(); n != 0 {
				t.Fatalf("%d are inside", n)
			}
		}
		g.Open()
	}
	all.Wait()
	if n := passed.Load(); n != 8*2000 {
		t.Errorf("%d passed", n)
	}
}

// TestShutGivesUp: a request that doesn't end keeps the gate from being shut, and others pass again.
func TestShutGivesUp(t *testing.T) {
	var g Gate
	_, _ = g.Enter(context.Background())
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := g.Shut(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shut: %v", err)
	}
	if in, err := g.Enter(context.Background()); !in || err != nil {
		t.Errorf("let in: %v, %v", in, err)
	}
	if n := g.Inside(); n != 2 {
		t.Errorf("%d inside", n)
	}
}

func TestRedirect(t *testing.T) {
	var g Gate
	if err := g.Shut(context.Background()); err != nil {
		t.Fatal(err)
	}
	waits := make(chan bool)
	go func() {
		in, _ := g.Enter(context.Background())
		waits <- in
	}()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if in, err := g.Enter(ctx); in || !errors.Is(err, context.Canceled) {
		t.Errorf("who leaves is let in: %v, %v", in, err)
	}
	g.Redirect()
	if <-waits {
		t.Error("who waited was let in")
	}
	if in, err := g.Enter(context.Background()); in || err != nil {
		t.Errorf("who comes late: %v, %v", in, err)
	}
}
