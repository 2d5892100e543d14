package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/parsescale/parsescale/server/schema"
)

// mostAsked is the most bytes, text and arguments, of a question that is asked together with others: so many as may be in a company
// find room on their way to the server, which doesn't read on while nobody reads its answers.
const mostAsked = 4 << 10

// lookup is a SELECT that is all there is to a read: of an object by its id, or a find.
type lookup struct {
	ctx     context.Context
	catalog *catalog // by which it was made
	sql     []byte
	formats []int16
	args    []any
	each    func(row [][]byte) error
	pace    *pace // of a find
	err     error // errApart until it was answered, then nil or errStale; or there is no connection
	stopped error // what each had against a row
	// panicked: each did.
	panicked bool
}

// show passes a row on, unless an earlier one was refused.
func (l *lookup) show(row [][]byte) {
	if l.stopped != nil || l.panicked {
		return
	}
	defer func() { l.panicked = recover() != nil || l.panicked }()
	l.stopped = l.each(row)
}

// askLast asks the last question of a snapshot. If it is the only one too, it may be in the company of others.
func (s *snapshot) askLast(class *schema.Class, byID bool, l lookup) error {
	if s.conn == nil && s.sharing != nil && s.failed == nil && !s.over && len(l.sql)+size(l.args) <= mostAsked {
		if !byID {
			l.pace = s.catalog.plan(class).paces.pace(l.sql)
		}
		if byID || l.pace.quick() {
			return s.askTogether(class, l)
		}
	}
	if err := s.connect(); err != nil {
		return err
	}
	s.last()
	begin := time.Now()
	err := s.query(l.ctx, l.sql, l.formats, l.args, l.each)
	switch {
	case l.pace == nil:
	case err != nil:
		l.pace.slow()
	default:
		l.pace.took(time.Since(begin) - s.sharing.roundTrip())
	}
	return err
}

// askTogether asks the only question of a snapshot in the company of others.
func (s *snapshot) askTogether(class *schema.Class, l lookup) (err error) {
	l.catalog, l.err = s.catalog, errApart
	if p := s.catalog.plan(class); l.pace == nil {
		err = p.lookups.join(l.ctx, mostUnderWay, &l, s.sharing.answer)
	} else {
		err = p.finds.join(l.ctx, s.sharing.mostFinds(), &l, s.sharing.answer)
	}
	if err != nil {
		return s.fail(err)
	}
	s.over, s.checked = true, true
	if l.err != nil {
		return s.fail(l.err)
	}
	return l.stopped
}

// mostFinds is how many companies of finds of a class may be under way: nearly as many as there are connections, for the
// database may have more processors than we, and what they do is more than a round trip.
func (s *Store) mostFinds() int { return max(1, s.primary.location.connections*3/4) }

// answer does lookups in one round trip: those by ids for as long as any of those who ask waits, finds for mostPatience, after which
// each of them has to go on alone. Each statement sees a state of the database of its own, none older than the lookup; the
// version of the schema is asked for after all of them, see snapshot.last.
func (s *Store) answer(all []*lookup) {
	c, err := s.primary.take(context.Background(), false)
	if err != nil {
		for _, l := range all {
			l.err = err
		}
		return
	}
	var asking []context.Context
	if all[0].pace != nil {
		ctx, cancel := context.WithTimeout(context.Background(), mostPatience) // the wait for a connection isn't part of it
		defer cancel()
		asking = append(asking, ctx)
	} else {
		for _, l := range all {
			asking = append(asking, l.ctx)
		}
	}
	stop, done := c.watch(asking...), false
	defer func() {
		stop()
		if !done {
			c.close() // a member's function ended the goroutine
		}
		s.primary.give(c)
	}()
	for _, l := range all {
		c.send(l.sql, l.formats, l.args...)
	}
	c.send(sqlVersion, nil)
	version, err := c.answers(all, s.roundTrip())
	done = true
	if err == nil {
		for _, l := range all {
			switch {
			case l.panicked: // it shall do so where it was called from
			case l.catalog.schema.Version != version:
				l.err = errStale
			default:
				l.err = nil
			}
		}
	}
	if stale(err) {
		c.forget()
	}
}

// roundTrip is what an answer takes in which nothing is done.
func (s *Store) roundTrip() time.Duration { return time.Duration(s.primary.roundTrip.Load()) }

// answers reads the rows of all lookups, and the version of the schema.
func (c *conn) answers(all []*lookup, roundTrip time.Duration) (version uint64, err error) {
	if err := c.sync(); err != nil {
		return 0, err
	}
	begin := time.Now()
	for i, l := range all {
		for {
			row, err := c.row()
			if err != nil {
				if c.broken == nil {
					slow(l) // the server's errors come in order
				} else {
					slow(all[i:]...) // the answers of some may have waited at the server for those of others
				}
				return 0, errors.Join(err, c.end())
			}
			if row == nil {
				break
			}
			l.show(row)
		}
	}
	took(all, time.Since(begin)-roundTrip)
	known := false
	err = c.rows(func(row [][]byte) { version, known = uint64(bigint(row[0])), true }) //nolint:gosec // it is never negative
	if err = errors.Join(err, c.end()); err == nil && !known {
		err = errStale
	}
	return version, err
}
