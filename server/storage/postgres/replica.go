package postgres

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/parsescale/parsescale/server/storage"
)

// A replica answers a read only if it has replayed all that was committed before the read began: the primary is asked how
// far it is, and the replica how far it has replayed, in one round trip with the read itself. If that isn't far enough,
// or anything is wrong with the replica, the primary answers.

// replica is a standby that may answer reads.
type replica struct {
	*pool
	// up: it could be reached. What is down is looked at by a goroutine, so that no read waits for it.
	up atomic.Bool
	// after is the time, in ns since 1970, before which it isn't asked again, because it was behind; behind is how often
	// it was, in a row.
	after  atomic.Int64
	behind atomic.Int32
	// answered is how many reads it has answered.
	answered atomic.Uint64
}

// errBehind: the replica hasn't replayed far enough, or follows another primary.
var errBehind = errors.New("the replica is behind")

const (
	// probeEvery is how often a replica that is down is looked at, and how long that may take.
	probeEvery = time.Second
	// A replica that was behind is left alone for so long, twice as long each time.
	leastPause, mostPause = time.Millisecond, 30 * time.Millisecond

	selectTimeline = `SELECT GREATEST((SELECT timeline_id FROM pg_control_checkpoint()), (SELECT min_recovery_end_timeline FROM pg_control_recovery()))::bigint`
	selectReplayed = `SELECT (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::text, pg_is_in_recovery()`
)

var sqlReplayed = []byte(selectReplayed)

// addReplicas starts to use the replicas that the address names.
func (s *Store) addReplicas(locations []location) {
	s.positions.ask = s.askPosition
	for _, loc := range locations {
		r := &replica{pool: newPool(loc, min(s.options.Timeout, probeEvery))}
		r.greet = func(c *conn) error {
			return c.each(selectTimeline, nil, func(row [][]byte) error {
				c.timeline = uint64(bigint(row[0])) //nolint:gosec // a timeline's number is positive
				return nil
			})
		}
		s.replicas = append(s.replicas, r)
		go s.probe(r)
	}
}

// probe looks at a replica that is down until it is up again.
func (s *Store) probe(r *replica) {
	warned := false
	for {
		c, err := r.take(context.Background(), true)
		if err == nil {
			r.give(c)
			r.up.Store(true)
			return
		}
		if !warned {
			warned = true
			s.options.Logger.Warn("a replica of the database can't be reached; reads go to the primary", "host", r.location.config.Host, "error", err)
		}
		select {
		case <-r.stop:
			return
		case <-time.After(probeEvery):
		}
	}
}

// replica returns one that may be asked, in turn, and the position that it must have reached; nil if there is none.
func (s *Store) replica(ctx context.Context) (*replica, position) {
	if len(s.replicas) == 0 {
		return nil, position{}
	}
	now := time.Now().UnixNano()
	first := int(s.turn.Add(1))
	for i := range s.replicas {
		r := s.replicas[(first+i)%len(s.replicas)]
		if !r.up.Load() || r.after.Load() > now {
			continue
		}
		at, err := s.positions.now(ctx)
		if err != nil {
			return nil, position{} // the primary itself tells what is wrong
		}
		return r, at
	}
	return nil, position{}
}

// guard queues the question how far the replica is, before anything else of a snapshot is asked.
func (s *snapshot) guard(at position) {
	s.before = func() {
		c := s.conn
		c.readUntil(time.Now().Add(probeEvery)) // one that hangs mustn't hold the read up
		c.send(sqlReplayed, []int16{textFormat, binaryFormat})
		c.hold()
	}
	s.passed = func() error {
		c, far := s.conn, false
		err := c.rows(func(row [][]byte) {
			lsn, err := strconv.ParseUint(string(row[0]), 10, 64)
			standby := len(row[1]) == 1 && row[1][0] == 1
			far = err == nil && standby && lsn >= at.lsn && c.timeline == at.timeline
		})
		if err != nil {
			return err
		}
		if err := c.skip(); err != nil {
			return err
		}
		c.readUntil(time.Time{})
		if c.timeline != at.timeline {
			_ = c.lose(errBehind) // a new connection learns which timeline the replica follows now
		}
		if !far {
			return errBehind
		}
		return nil
	}
}

// failed notes that a read couldn't be answered.
func (s *Store) failed(r *replica, err error) {
	switch {
	case errors.Is(err, errBehind):
		n := r.behind.Add(1)
		pause := min(leastPause<<min(n-1, 10), mostPause)
		r.after.Store(time.Now().Add(pause).UnixNano())
	case lost(err), errors.Is(err, storage.ErrUnavailable):
		if r.up.CompareAndSwap(true, false) {
			r.drop()
			go s.probe(r)
		}
	}
}
