package postgres

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/parsescale/parsescale/server/storage"
)

// maxWrites is how often a write is tried: conflicts with other transactions, a schema that changed meanwhile.
const maxWrites = 20

// write is a write on its way.
type write struct {
	*Store
	id string
	f  func(storage.Tx) ([]byte, error)

	fresh     bool // take a new connection
	duplicate bool // a unique index was violated before
	patient   bool // the last change isn't to wait for the commit
	apart     bool // it isn't to be done together with others
	// doubt, if not nil, is called once it is known whether an earlier try, whose commit wasn't answered, has committed.
	// The id is claimed then before anything else is done; that it has not is known once that claim is committed.
	doubt func(committed bool)
	// lost are the sessions in which such a commit may still be under way, as conn.session tells them.
	lost []uint32
}

// outcome is what became of a try.
type outcome struct {
	result   []byte
	repeated bool
	err      error
	again    bool // it left nothing, and may be tried once more
	// old, if not nil, is a catalog that isn't right any more.
	old *catalog
}

// Write implements storage.Store.
func (s *Store) Write(ctx context.Context, id string, f func(storage.Tx) ([]byte, error)) ([]byte, bool, error) {
	if err := s.gate.Enter(); err != nil {
		return nil, false, err
	}
	defer s.gate.Leave()
	if id == "" && s.options.Announcer != nil {
		id = crand.Text() // so that it can be found out how a commit went that isn't answered
	}
	w := &write{Store: s, id: id, f: f}
	for try := 1; ; try++ {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		o := w.try(ctx)
		if w.doubt != nil {
			o = w.findOut(context.WithoutCancel(ctx), o)
		}
		if !o.again || try == maxWrites {
			s.sweep()
			if o.old != nil && !o.again {
				_ = s.reload(context.WithoutCancel(ctx), o.old) // whoever comes next would find out that it is old
			}
			return o.result, o.repeated, unavailable(o.err)
		}
		if o.old != nil {
			if err := s.reload(ctx, o.old); err != nil {
				return nil, false, err
			}
		}
		pause(try)
	}
}

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
// the way is stored.
func (w *write) over(session uint32, committed *bool) bool {
	if session != 0 {
		left, err := w.endSession(session)
		return err == nil && left == 0
	}
	free, now := false, w.options.Clock()
	err := w.use(context.Background(), func(c *conn) error {
		free = false // use may have run it before
		return c.each(claimKnown, []any{w.id, instant(now.Add(w.options.WriteIDTTL)), instant(now)}, func([][]byte) error {
			free = true
			return nil
		})
	})
	*committed = !free
	return err == nil
}

// endSession ends a session of this process and tells how many there were.
func (s *Store) endSession(pid uint32) (n int64, err error) {
	err = s.use(context.Background(), func(c *conn) error {
		return c.each(fmt.Sprintf(`SELECT count(pg_catalog.pg_terminate_backend(pid))::text FROM pg_catalog.pg_stat_activity
WHERE pid = %d AND application_name = current_setting('application_name')`, pid), nil, func(row [][]byte) (err error) {
			n, err = strconv.ParseInt(string(row[0]), 10, 64)
			return err
		})
	})
	return n, err
}

// pause lets whoever was in the way finish.
func pause(try int) {
	if try > 1 {
		time.Sleep(time.Duration(rand.Int64N(int64(min(try, 8)) * int64(5*time.Millisecond))))
	}
}

// resolve tells the announcer how a commit went that wasn't answered.
func (w *write) resolve(committed bool) {
	if w.doubt != nil {
		w.doubt(committed)
		w.doubt = nil
	}
}
