package caddymodule

import (
	"testing"
	"time"
)

// TestStatusWhileChanging: whoever looks at the app's state while a config starts isn't kept waiting for its workers.
func TestStatusWhileChanging(t *testing.T) {
	g, err := newGateway(&settings{mount: "/parse", upstreams: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.pool.Close() })
	g.changing.Lock()
	defer g.changing.Unlock()
	told := make(chan AppStatus, 1)
	go func() { told <- g.status() }()
	select {
	case s := <-told:
		if s.Mount != "/parse" {
			t.Errorf("got %+v", s)
		}
	case <-time.After(5 * time.Second):
		t.Error("the status waits for the change")
	}
}
