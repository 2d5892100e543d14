package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
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
	// doubt, if not nil, is called once it is known whether an earlier try, whose commit wasn't answered, has committed.
	// The id is claimed then before anything else is done; that it has not is known once that claim is committed.
	doubt func(committed bool)
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
	defer w.resolve(true) // whoever must know of a change is told of one
	for until := time.Now().Add(2 * w.options.Timeout); w.doubt != nil; time.Sleep(w.options.Timeout / 20) {
		if time.Now().After(until) {
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
