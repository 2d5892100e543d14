package postgres

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestWrittenEnds: who asks for a write id doesn't wait for longer than its context lasts.
func TestWrittenEnds(t *testing.T) {
	uri := database(t)
	s := open(t, uri)
	pg := session(t, uri, "locker")
	do(t, pg, `BEGIN; LOCK TABLE parsescale._write IN ACCESS EXCLUSIVE MODE`)
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, _, err := s.Written(short, "w1")
	if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > 5*time.Second {
		t.Errorf("%v after %v", err, took)
	}
	do(t, pg, `ROLLBACK`)
	if _, found, err := s.Written(ctx, "w1"); found || err != nil {
		t.Errorf("afterwards: %v, %v", found, err)
	}
}
