package postgres

import (
	"errors"
	"fmt"

	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/sqlbuild"
)

// The statement that ends a transaction goes out together with its COMMIT. A transaction that is nothing but one INSERT
// needs neither BEGIN nor COMMIT: what stands between two Syncs of the protocol is one transaction anyway, in which the
// result of the write can be stored too.

// pending is a statement that waits for the commit.
type pending struct {
	what  string
	class *schema.Class
	sql   []byte
	args  []any
}

const insertAnObject = "insert an object"

// Last implements storage.Tx.
func (t *tx) Last() { t.last = true }

// mayWait reports whether the next statement may go out with the commit.
func (t *tx) mayWait() bool { return t.last && !t.patient && !t.over && t.failed == nil && !t.asking }

// wait keeps a statement for the commit.
func (t *tx) wait(p pending) { t.pending, t.wrote, t.over = &p, true, true }

// current is a table of one row that can only be read if the schema has the version that is bound as the argument that
// follows the others. The division isn't made before the row is there.
const current = "(SELECT (SELECT version FROM parsescale._schema_version) AS version) AS v WHERE 1/COALESCE((version="

// errDivided is how the database says that the version is another one, or that a statement that went out with the commit
// changed nothing.
const errDivided = "22012"

// mustChange wraps a statement so that it fails where it changes no row: when its answer comes, the commit has been done.
func mustChange(sql []byte) []byte {
	return append(append([]byte("WITH changed AS ("), sql...), " RETURNING 1) SELECT 1/count(*) FROM changed"...)
}

// insertLast keeps an INSERT for the commit, if it can wait. If it is all that there is, it is done together with others, or
// sees to it by itself that the schema is the right one.
func (t *tx) insertLast(class *schema.Class, o storage.Object) (waits bool, err error) {
	b, err := t.builder()
	if err != nil {
		return false, err
	}
	together := t.conn == nil && t.sharing != nil
	if t.open || together {
		if err := b.Insert(dialect{}, class, o); err != nil {
			return false, err
		}
		together = together && size(b.Args) <= maxShared
	}
	if !t.open && !together {
		if err := t.connect(); err != nil {
			return false, err
		}
		if !t.conn.quiet() {
			return false, nil
		}
		if err := b.InsertFrom(dialect{}, class, o, current); err != nil {
			return false, err
		}
		b.Arg(sqlbuild.Integer, int64(t.catalog.schema.Version)) //nolint:gosec // it was read from a bigint
		b.Raw(")::int,0)=1")
	}
	t.wait(pending{what: insertAnObject, class: class, sql: b.SQL, args: b.Args})
	return true, nil
}

// commitLast announces the changes, sends what waits together with the commit, and keeps a number for the next time.
func (a *attempt) commitLast(result []byte) outcome {
	t, c, p := a.tx, a.tx.conn, a.tx.pending
	if c == nil {
		return a.commitTogether(result)
	}
	// Only an insert has none, of an object that is new: any number that was taken before is smaller than those of later
	// changes.
	numbered := a.told() && t.order == 0
	if numbered {
		if t.order = a.numbers.take(); t.order == 0 {
			if err := c.number(&t.order); err != nil {
				return a.undo(t.fail(err))
			}
		}
	}
	finish, err := a.announce()
	if err != nil {
		return a.undo(fmt.Errorf("cannot announce the changes: %w", err))
	}
	c.send(p.sql, nil, p.args...)
	if a.id != "" {
		a.keep(result)
	}
	if numbered {
		c.send(sqlOrder, nil) // before the COMMIT: what fails after it would make a write that is done look undone
	}
	if t.open {
		c.send(sqlCommit, nil)
	}
	err = a.sendLast(numbered)
	switch {
	case err == nil:
		a.done(finish)
		return outcome{result: result}
	case c.broken != nil:
		return a.unknown(finish, err, c.session())
	}
	finish(false)
	return a.refused(err)
}

// sendLast sends what is queued. With a number asked for, that is kept.
func (a *attempt) sendLast(numbered bool) error {
	c := a.tx.conn
	if err := c.sync(); err != nil {
		return err
	}
	if err := c.rest(); err != nil {
		return errors.Join(err, c.end())
	}
	if a.id != "" {
		if err := c.rest(); err != nil {
			return errors.Join(err, c.end())
		}
	}
	if numbered {
		if err := c.rows(func(row [][]byte) { a.numbers.put(uint64(bigint(row[0]))) }); err != nil {
			return errors.Join(err, c.end())
		}
	}
	return c.end()
}

// refused decides what to do after the last statement, or the commit, failed.
func (a *attempt) refused(err error) outcome {
	t, c := a.tx, a.tx.conn
	t.failed = err
	if !t.open {
		switch stateOf(err) {
		case errDivided:
			t.failed = errStale
			return outcome{err: errStale, again: true}
		case uniqueViolation:
			if a.id == "" {
				break
			}
			// The id may be known, or known no more.
			if a.lookUp(); a.found {
				return outcome{result: a.known, repeated: true}
			}
			if a.replaced != "" {
				a.patient = true
				return outcome{err: err, again: true}
			}
			if c.broken != nil {
				t.failed = c.broken
			}
		}
	}
	if t.open && stateOf(err) == errDivided {
		taking := a.replaced != ""
		o := a.undo(storage.ErrNotFound)
		if taking && errors.Is(o.err, storage.ErrNotFound) { // or the row under the id was another's by then
			a.patient, o.again = true, true
		}
		return o
	}
	return a.undo(writeError(t.pending.what, t.pending.class.Name, err))
}
