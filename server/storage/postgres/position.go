package postgres

import (
	"context"
	"fmt"
	"strconv"
	"sync"
)

// position is a place in the primary's log of changes. Of two on one timeline the later one is the larger one.
type position struct {
	timeline uint64
	lsn      uint64
}

// What is committed is in the log before this place, whether it has reached the disk or not.
const selectPosition = `SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::text, ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint`

// positions asks the primary how far its log is. All who come while a question is on its way share the next one, so that
// there is one at a time however many ask. (The read index of Raft, D. Ongaro's thesis, 6.4.)
type positions struct {
	ask func(context.Context) (position, error)

	mu      sync.Mutex
	next    *question
	running bool
}

type question struct {
	done chan struct{}
	at   position
	err  error
}

// now returns a position that no commit which ended before is beyond.
func (p *positions) now(ctx context.Context) (position, error) {
	p.mu.Lock()
	if p.next == nil {
		p.next = &question{done: make(chan struct{})}
	}
	q := p.next
	if !p.running {
		p.running = true
		go p.run(context.WithoutCancel(ctx))
	}
	p.mu.Unlock()
	select {
	case <-q.done:
		return q.at, q.err
	case <-ctx.Done():
		return position{}, ctx.Err()
	}
}

// run asks until nobody waits.
func (p *positions) run(ctx context.Context) {
	for {
		p.mu.Lock()
		q := p.next
		p.next = nil
		if q == nil {
			p.running = false
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		q.at, q.err = p.ask(ctx)
		close(q.done)
	}
}

// askPosition asks the primary.
func (s *Store) askPosition(ctx context.Context) (at position, err error) {
	err = s.within(ctx, s.options.Timeout, func(c *conn) error {
		return c.each(selectPosition, nil, func(row [][]byte) (err error) {
			at.lsn, err = strconv.ParseUint(string(row[0]), 10, 64)
			at.timeline = uint64(bigint(row[1])) //nolint:gosec // a timeline's number is positive
			return err
		})
	})
	if err != nil {
		return position{}, fmt.Errorf("cannot ask the primary for its position: %w", err)
	}
	return at, nil
}
