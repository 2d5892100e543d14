package postgres

import (
	"context"
	"errors"

	"github.com/parsescale/parsescale/server/schema"
)

// lookup is a SELECT of an object by its id that is all there is to a read.
type lookup struct {
	ctx     context.Context
	catalog *catalog // by which it was made
	sql     []byte
	formats []int16
	args    []any
	each    func(row [][]byte) error
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

// askTogether asks the only question of a snapshot, about an object by its id, in the company of others.
func (s *snapshot) askTogether(class *schema.Class, l lookup) error {
	l.catalog, l.err = s.catalog, errApart
	if err := s.catalog.plan(class).lookups.join(l.ctx, &l, s.sharing.answer); err != nil {
		return s.fail(err)
	}
	s.over, s.checked = true, true
	if l.err != nil {
		return s.fail(l.err)
	}
	return l.stopped
}

// answer does lookups in one round trip. Each statement sees a state of the database of its own, none older than the
// lookup; the version of the schema is asked for after all of them, see snapshot.last.
func (s *Store) answer(all []*lookup) {
	c, err := s.primary.take(context.Background(), false)
	if err != nil {
		for _, l := range all {
			l.err = err
		}
		return
	}
	asking := make([]context.Context, len(all))
	for i, l := range all {
		asking[i] = l.ctx
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
	version, err := c.answers(all)
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

// answers reads the rows of all lookups, and the version of the schema.
func (c *conn) answers(all []*lookup) (version uint64, err error) {
	if err := c.sync(); err != nil {
		return 0, err
	}
	for _, l := range all {
		for {
			row, err := c.row()
			if err != nil {
				return 0, errors.Join(err, c.end())
			}
			if row == nil {
				break
			}
			l.show(row)
		}
	}
	known := false
	err = c.rows(func(row [][]byte) { version, known = uint64(bigint(row[0])), true }) //nolint:gosec // it is never negative
	if err = errors.Join(err, c.end()); err == nil && !known {
		err = errStale
	}
	return version, err
}
