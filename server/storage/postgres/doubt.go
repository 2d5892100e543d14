package postgres

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/parsescale/parsescale/server/storage"
)

// A commit that isn't answered is in doubt: it may be done, undone, or still under way at the server, which may take any time for
// it, such as that until a standby is back. So nobody waits for one longer than the time-out at a stretch.

// findOut tries until it is known how the commit went that wasn't answered. The client's patience doesn't count now, but
// the database may be away for long.
func (w *write) findOut(ctx context.Context, o outcome) outcome {
	defer w.resolve(true) // whoever must know of a change is told of one, unless that has to wait
	for until := time.Now().Add(2 * w.options.Timeout); w.doubt != nil; time.Sleep(w.options.Timeout / 20) {
		if time.Now().After(until) {
			w.leave()
			return outcome{err: fmt.Errorf("%w: %w", storage.ErrUnknownOutcome, o.err)}
		}
		if o.old != nil {
			if err := w.reload(ctx, o.old); err != nil {
				continue
			}
		}
		o = w.try(ctx)
	}
	return o
}

// leave has the announcer told later: the commit that wasn't answered may still be under way at the server, which nobody can
// reach. The sessions it may be in are ended then, or the id is claimed. If the store is closed before, the announcer is told nothing: the write stays
// open, the worker can't say that it is drained, and whoever started it ends its sessions.
func (w *write) leave() {
	doubt := w.doubt
	w.doubt = nil
	go func() {
		committed := true
		for _, session := range w.lost {
			for !w.over(session, &committed) {
				if w.gate.Closed() {
					return
				}
				time.Sleep(w.options.Timeout / 20)
			}
		}
		doubt(committed)
	}()
}

// over sees to it that no commit can arrive in a session any more, and says whether it could. What is found out of the commit by
// the way is stored. Of all writes that were left one at a time does so: the server may hold each of them up for long, and the
// other connections are for requests.
func (w *write) over(session uint32, committed *bool) bool {
	w.settling.Lock()
	defer w.settling.Unlock()
	if session != 0 {
		left, err := w.endSession(session)
		return err == nil && left == 0
	}
	free, now := false, w.options.Clock()
	err := w.within(w.closing, w.options.Timeout, func(c *conn) error {
		free = false // it may have been called before
		// By its own clock: a pooler may not pass on that a claim is called off, and those that wait would become more and more.
		c.set("lock_timeout", strconv.FormatInt((w.options.Timeout/2).Milliseconds(), 10))
		return c.each(claimKnown, []any{w.id, instant(now.Add(w.options.WriteIDTTL)), instant(now)}, func([][]byte) error {
			free = true
			return nil
		})
	})
	// That there is no result means nothing once it might have been deleted, by a process whose clock is fast.
	*committed = !free || w.options.Clock().Sub(w.since) > w.options.WriteIDTTL/2
	return err == nil
}

// endSession ends a session of this process and tells how many there were.
func (s *Store) endSession(pid uint32) (n int64, err error) {
	err = s.within(s.closing, s.options.Timeout, func(c *conn) error {
		return c.each(fmt.Sprintf(`SELECT count(pg_catalog.pg_terminate_backend(pid))::text FROM pg_catalog.pg_stat_activity
WHERE pid = %d AND application_name = current_setting('application_name')`, pid), nil, func(row [][]byte) (err error) {
			n, err = strconv.ParseInt(string(row[0]), 10, 64)
			return err
		})
	})
	return n, err
}

// resolve tells the announcer how a commit went that wasn't answered.
func (w *write) resolve(committed bool) {
	if w.doubt != nil {
		w.doubt(committed)
		w.doubt = nil
	}
}
