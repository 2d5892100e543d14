package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/parsescale/parsescale/server/query"
)

// maxShared is the most bytes of an object that is inserted together with others.
const maxShared = 64 << 10

// insertion is an INSERT that is all there is to a write.
type insertion struct {
	*pending
	id      string // under which the result is kept; "": nowhere
	result  []byte
	expires query.Date
	version uint64 // of the schema by which it was made
	number  bool   // it has taken a number

	// err is errApart unless it was committed, or nothing is known of the commit in a session.
	err     error
	unknown bool
	session uint32
}

const (
	// selectRight fails unless the schema has the version: whoever comes later is told by the INSERT itself, see current.
	selectRight = `SELECT 1/COALESCE((version=$1::bigint)::int,0) FROM (SELECT (SELECT version FROM parsescale._schema_version) AS version) AS v`

	selectOrders = `SELECT nextval('parsescale._change'::regclass) FROM generate_series(1,$1::bigint)`
)

var (
	sqlRight  = []byte(selectRight)
	sqlOrders = []byte(selectOrders)
)

// commitTogether announces the changes and does the INSERT in one transaction with those of others, in one round trip.
func (a *attempt) commitTogether(result []byte) outcome {
	t := a.tx
	in := &insertion{pending: t.pending, id: a.id, result: result, version: t.catalog.schema.Version, err: errApart}
	if a.id != "" {
		in.expires = instant(a.options.Clock().Add(a.options.WriteIDTTL))
	}
	if in.result == nil {
		in.result = []byte{}
	}
	if in.number = a.told() && t.order == 0; in.number {
		if t.order = a.numbers.take(); t.order == 0 {
			if err := a.use(context.Background(), func(c *conn) error { return c.number(&t.order) }); err != nil {
				return outcome{err: err}
			}
		}
	}
	finish, err := a.announce()
	if err != nil {
		return outcome{err: fmt.Errorf("cannot announce the changes: %w", err)}
	}
	_ = t.catalog.plan(t.pending.class).inserts.join(context.Background(), mostUnderWay, in, a.insert) // what is announced is carried out
	switch {
	case in.err == nil:
		a.done(finish)
		return outcome{result: result}
	case in.unknown:
		return a.unknown(finish, in.err, in.session)
	}
	finish(false)
	a.apart = true
	return outcome{err: in.err, again: errors.Is(in.err, errApart)}
}

// insert does insertions in one transaction: what stands between two Syncs is one.
func (s *Store) insert(all []*insertion) {
	c, err := s.primary.take(context.Background(), false)
	if err == nil && !c.quiet() { // after it nobody can tell whether it was dead before
		c.close()
		s.primary.give(c)
		c, err = s.primary.take(context.Background(), true)
	}
	if err != nil {
		for _, in := range all {
			in.err = err
		}
		return
	}
	defer s.primary.give(c)
	// All are of one catalog.
	c.send(sqlRight, nil, int64(all[0].version)) //nolint:gosec // it was read from a bigint
	statements, numbers := 1, int64(0)
	for _, in := range all {
		c.send(in.sql, nil, in.args...)
		statements++
		if in.id != "" {
			c.send(sqlInsertKnown, nil, in.id, in.result, in.expires)
			statements++
		}
		if in.number {
			numbers++
		}
	}
	if numbers > 0 {
		c.send(sqlOrders, nil, numbers) // before the commit: what fails after it would make writes that are done look undone
	}
	err = c.sync()
	for ; statements > 0 && err == nil; statements-- {
		err = c.rest()
	}
	if numbers > 0 && err == nil {
		err = c.rows(func(row [][]byte) { s.numbers.put(uint64(bigint(row[0]))) })
	}
	err = errors.Join(err, c.end())
	for _, in := range all {
		switch {
		case err == nil:
			in.err = nil
		case c.broken != nil:
			in.err, in.unknown, in.session = c.broken, true, c.session()
		}
	}
	if stale(err) && c.broken == nil {
		c.forget()
	}
}

// size is how many bytes the arguments of a statement take, nearly.
func size(args []any) (n int) {
	for _, a := range args {
		switch a := a.(type) {
		case string:
			n += len(a)
		case []byte:
			n += len(a)
		case array:
			n += size(a.items)
		}
		n += 8
	}
	return n
}
