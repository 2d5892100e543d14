package rest_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/change"
)

// schemaChanges counts the changes of kind schema by class.
type schemaChanges struct {
	mu sync.Mutex
	of map[string]int
}

func (s *schemaChanges) Prepare(_ context.Context, changes []change.Change) (func(bool), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changes {
		if c.Kind == change.Schema {
			s.of[c.Class]++
		}
	}
	return func(bool) {}, nil
}

func (s *schemaChanges) count(class string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of[class]
}

// TestTriggersDropWhatIsCached checks that the gateway is told to forget what was found before there was a trigger, at
// once, and again when every worker must know of it.
func TestTriggersDropWhatIsCached(t *testing.T) {
	s := &schemaChanges{of: map[string]int{}}
	w := start(t, server.Environment{Announcer: s}, nil)
	w.do("POST", "/classes/A", `{}`, app())
	w.do("POST", "/classes/B", `{}`, app())
	before := s.count("A")
	w.do("POST", "/hooks/triggers", `{"className":"A","triggerName":"afterFind","url":"http://127.0.0.1:1/"}`, master())
	if n := s.count("A") - before; n != 1 {
		t.Errorf("told %d times at once", n)
	}
	other := s.count("B")
	w.do("POST", "/hooks/triggers", `{"className":"B","triggerName":"afterSave","url":"http://127.0.0.1:1/"}`, master())
	for until := time.Now().Add(10 * time.Second); s.count("A")-before < 2; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("not told again")
		}
	}
	if s.count("B") != other {
		t.Error("a trigger of writes drops what was found")
	}
}
