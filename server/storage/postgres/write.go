package postgres

import (
	"context"
	crand "crypto/rand"
	"math/rand/v2"
	"time"

	"github.com/parsescale/parsescale/server/storage"
)

// maxWrites is how often a write is tried: conflicts with other transactions, a schema that changed meanwhile.
const maxWrites = 20

// write is a write on its way.
type write struct {
	*Store
	id    string
	f     func(storage.Tx) ([]byte, error)
	since time.Time // when it was begun

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
	w := &write{Store: s, id: id, f: f, since: s.options.Clock()}
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

// pause lets whoever was in the way finish.
func pause(try int) {
	if try > 1 {
		time.Sleep(time.Duration(rand.Int64N(int64(min(try, 8)) * int64(5*time.Millisecond))))
	}
}
