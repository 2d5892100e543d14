package decoding

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// held is a transaction that the log has told and that may not be visible yet: the log tells of a commit before it can be
// seen, by much where a synchronous standby is slow.
type held struct {
	xid    uint32
	finish func()
	// tables: there may be new tables, which must join the publication once they are visible.
	tables bool
	// after is not 0 once they have joined: what transactions that ran then have written to them before isn't told, so all
	// of them must have ended, which they have when a snapshot's xmin has come so far.
	after uint64
}

// settler holds what isn't settled.
type settler struct {
	wake chan struct{}

	mu     sync.Mutex
	fresh  []held
	closed bool

	waiting []held // of the goroutine that settles
}

func newSettler() *settler { return &settler{wake: make(chan struct{}, 1)} }

func (x *settler) add(h held) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		h.finish()
		return
	}
	x.fresh = append(x.fresh, h)
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// take moves what is new to what waits.
func (x *settler) take() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.waiting = append(x.waiting, x.fresh...)
	x.fresh = nil
}

// close lets everything go. The goroutine that settles has ended.
func (x *settler) close() {
	x.take()
	x.mu.Lock()
	x.closed = true
	x.mu.Unlock()
	for _, h := range x.waiting {
		h.finish()
	}
	x.waiting = nil
}

const (
	// soonest and latest are how long after a look at what is visible the next one follows, while something isn't.
	soonest = time.Millisecond
	latest  = 50 * time.Millisecond
)

// settle finishes what has become visible, and watches what the server must keep for us.
func (s *session) settle(ctx context.Context) error {
	if err := s.becomeLive(ctx); err != nil {
		return err
	}
	x := s.settler
	watch := time.NewTicker(time.Second)
	defer watch.Stop()
	pause := soonest
	again := time.NewTimer(pause)
	defer again.Stop()
	for {
		select {
		case <-x.wake:
			pause = soonest
		case <-again.C:
			pause = min(2*pause, latest)
		case <-watch.C:
			if err := s.checkRetained(ctx); err != nil {
				return err
			}
			continue
		case <-ctx.Done():
			return ctx.Err()
		}
		if x.take(); len(x.waiting) == 0 {
			continue
		}
		if err := s.settleVisible(ctx); err != nil {
			return err
		}
		if len(x.waiting) > 0 {
			again.Reset(pause)
		}
	}
}

// becomeLive waits until whatever the slot didn't tell can be seen: a transaction may have committed before the slot was
// made and not be visible yet.
func (s *session) becomeLive(ctx context.Context) error {
	start, err := s.snapshot(ctx)
	for err == nil {
		var now snapshot
		if now, err = s.snapshot(ctx); err == nil && now.xmin >= start.xmax {
			s.live()
			return nil
		}
		select {
		case <-time.After(latest):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

// settleVisible finishes what a new snapshot sees.
func (s *session) settleVisible(ctx context.Context) error {
	x := s.settler
	now, err := s.snapshot(ctx)
	if err != nil {
		return err
	}
	rest := x.waiting[:0]
	for i, h := range x.waiting {
		switch {
		case h.after > 0 && now.xmin < h.after, h.after == 0 && !now.sees(h.xid):
			rest = append(rest, h)
			continue
		case h.after == 0 && h.tables:
			if h.after, err = s.join(ctx); err != nil {
				x.waiting = append(rest, x.waiting[i:]...)
				return err
			}
			if h.after > 0 {
				rest = append(rest, h)
				continue
			}
		}
		h.finish()
	}
	clear(x.waiting[len(rest):])
	x.waiting = rest
	return nil
}

// join has new tables join the publication. It returns the number that a snapshot's xmin must reach before what happens
// in them is told without gaps; 0 if there were none.
func (s *session) join(ctx context.Context) (uint64, error) {
	limited, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	joined, err := joinPublication(limited, s.asking, s.feed.options.Publication, s.server.namespace)
	if err != nil || !joined {
		return 0, err
	}
	now, err := s.snapshot(limited)
	return now.xmax, err
}

// snapshot asks what is visible now.
func (s *session) snapshot(ctx context.Context) (snapshot, error) {
	limited, cancel := context.WithTimeout(ctx, 10*s.feed.options.Limit)
	defer cancel()
	rows, err := ask(limited, s.asking, "ask PostgreSQL what is visible", "SELECT pg_current_snapshot()")
	if err != nil {
		return snapshot{}, err
	}
	return parseSnapshot(rows[0][0])
}

// checkRetained fails when the server has to keep too much of its log for us.
func (s *session) checkRetained(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, 10*s.feed.options.Limit)
	defer cancel()
	rows, err := ask(limited, s.asking, "ask PostgreSQL what it keeps",
		"SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) FROM pg_catalog.pg_replication_slots WHERE slot_name = $1", s.slot)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return fmt.Errorf("PostgreSQL has dropped the slot %s", s.slot)
	}
	if kept, _ := strconv.ParseInt(rows[0][0], 10, 64); kept > s.feed.options.MaxRetained { // the server sends digits
		return fmt.Errorf("%w (%d MiB); is a transaction open for very long?", ErrRetained, kept>>20)
	}
	return nil
}
