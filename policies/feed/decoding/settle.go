package decoding

import (
	"context"
	"errors"
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
	x := s.settler
	watch := time.NewTicker(s.feed.options.watch)
	defer watch.Stop()
	looks := 0
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
			if looks++; looks%10 == 0 {
				if err := s.checkPublished(ctx); err != nil {
					return err
				}
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

// becomeVisible waits until whatever the slot doesn't tell can be seen, and has joined the publication: a transaction that
// committed before the slot was made may have made a class, and may not be visible yet.
func (s *session) becomeVisible(ctx context.Context) error {
	start, err := s.snapshot(ctx)
	if err != nil {
		return err
	}
	for after := start.xmax; after > 0; {
		if err := s.ended(ctx, after); err != nil {
			return err
		}
		if after, err = s.join(ctx); err != nil {
			return err
		}
	}
	return nil
}

// ended waits until all transactions before a number have ended, for as long as the server keeps its log.
func (s *session) ended(ctx context.Context, number uint64) error {
	for watched := time.Now(); ; {
		now, err := s.snapshot(ctx)
		if err != nil {
			return err
		}
		if now.xmin >= number {
			return nil
		}
		if time.Since(watched) > s.feed.options.watch {
			watched = time.Now()
			s.feed.waits(errWaits)
			if err := s.checkRetained(ctx); err != nil {
				return err
			}
		}
		select {
		case <-time.After(latest):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
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
// in them is told without gaps; 0 if there are none. Who had them join doesn't matter: another gateway may just have done it.
func (s *session) join(ctx context.Context) (uint64, error) {
	limited, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tables, _, err := joinPublication(limited, s.asking, s.feed.options.Publication, s.server.namespace)
	if err != nil {
		return 0, err
	}
	if !s.follows(tables) {
		return 0, nil
	}
	if forgetsJoining(s.server.version) {
		return 0, errJoined
	}
	now, err := s.snapshot(limited)
	return now.xmax, err
}

// checkPublished finds out whether a table was made anew or taken out of the publication behind Parse's back, as by a restore: then
// rows weren't told. A new class that happens to be seen here first is taken for the same, which costs what is cached.
func (s *session) checkPublished(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tables, joined, err := joinPublication(limited, s.asking, s.feed.options.Publication, s.server.namespace)
	if err != nil {
		return err
	}
	there := 0
	for _, t := range tables {
		if s.tables[t] {
			there++
		}
	}
	if joined > 0 || there < len(s.tables) {
		return errUntold
	}
	return nil
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

// follows takes in which tables are in the publication, and reports whether any is new.
func (s *session) follows(tables []string) (news bool) {
	known := s.tables
	s.tables = make(map[string]bool, len(tables))
	for _, t := range tables {
		s.tables[t] = true
		news = news || !known[t]
	}
	return news
}

// errUntold: rows may have been written that the log doesn't tell.
var errUntold = errors.New("a table was made anew or taken out of the publication, so that its rows weren't told")

// errJoined: a new table has joined the publication of a server that may not take notice of it.
var errJoined = errors.New("a new class has come, and this release of PostgreSQL may overlook it in a slot that is in use; the next minor release doesn't")

// forgetsJoining reports whether a server of this version may leave the rows of a table that joins the publication out of
// the log for ever, if a transaction that writes to it runs meanwhile: it kept what it knew of the table. That was mended
// in 14.18, 15.13, 16.9 and 17.5. A new slot knows better.
func forgetsJoining(version int) bool {
	mended := map[int]int{14: 18, 15: 13, 16: 9, 17: 5}
	return version%10000 < mended[version/10000]
}
