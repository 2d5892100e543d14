package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/parsescale/parsescale/server/change"
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
	// doubt, if not nil, is called once it is known whether an earlier try, whose commit wasn't answered, has committed.
	// The id is claimed then before anything else is done.
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
	if err := s.begin(); err != nil {
		return nil, false, err
	}
	defer s.running.Done()
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

const (
	selectKnown = `SELECT result, expires >= $2::timestamptz FROM parsescale._write WHERE id = $1::text`
	insertKnown = `INSERT INTO parsescale._write (id, result, expires) VALUES ($1::text, $2::bytea, $3::timestamptz)`
	claimKnown  = `INSERT INTO parsescale._write (id, expires) VALUES ($1::text, $2::timestamptz) ON CONFLICT DO NOTHING`
	updateKnown = `UPDATE parsescale._write SET result = $2::bytea, expires = $3::timestamptz WHERE id = $1::text`
	sweepKnown  = `DELETE FROM parsescale._write WHERE expires < $1::timestamptz`
)

var (
	sqlKnown       = []byte(selectKnown)
	sqlInsertKnown = []byte(insertKnown)
	sqlClaimKnown  = []byte(claimKnown)
	sqlUpdateKnown = []byte(updateKnown)
	sqlSweep       = []byte(sweepKnown)
)

// errKnown stops a write whose id was found.
var errKnown = errors.New("the write was done before")

// attempt is one transaction of a write.
type attempt struct {
	*write
	tx      *tx
	known   []byte // the result that was found under the id
	found   bool
	expired bool // under the id there is a result whose time is over
}

// try runs the write in one transaction.
func (w *write) try(ctx context.Context) outcome {
	c, err := w.primary.take(ctx, w.fresh)
	if err != nil {
		return outcome{err: err}
	}
	finished := false
	defer func() {
		if !finished {
			c.close() // the function ended its goroutine
		}
		w.primary.give(c)
	}()
	cat := w.catalog.Load()
	a := &attempt{write: w, tx: &tx{store: w.Store, snapshot: snapshot{conn: c, catalog: cat, writing: true}}}
	a.tx.first, a.tx.begun = a.first, a.begun
	result, err := w.call(a.tx)
	if settled := a.tx.settle(); err == nil {
		err = settled
	}
	o := outcome{}
	if err != nil || a.tx.failed != nil {
		o = a.undo(err)
	} else {
		o = a.commit(result)
	}
	finished = true
	if o.err == nil && a.tx.catalog != cat {
		o.old = cat
	}
	if broke := a.tx.failed; o.again && (errors.Is(broke, errStale) || stale(broke)) {
		if stale(broke) && c.broken == nil {
			c.forget()
		}
		o.old = cat
	}
	return o
}

// call runs the function of the write; a panic becomes an error.
func (w *write) call(t *tx) (result []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, Stack: debug.Stack()}
		}
	}()
	return w.f(t)
}

// panicError is what a write answers whose function panicked.
type panicError struct {
	value any
	// Stack is where, for a log; it isn't part of the message.
	Stack []byte
}

func (e *panicError) Error() string {
	return fmt.Sprintf("cannot finish the write: it panicked: %v", e.value)
}

// first begins the transaction and looks the id up, or claims it.
func (a *attempt) first() {
	c := a.tx.conn
	c.send(sqlBegin, nil)
	switch now := a.options.Clock(); {
	case a.doubt != nil:
		c.send(sqlClaimKnown, nil, a.id, instant(now.Add(a.options.WriteIDTTL)))
	case a.id != "":
		c.send(sqlKnown, []int16{binaryFormat}, a.id, instant(now))
	}
}

// begun reads the answers to first.
func (a *attempt) begun() error {
	c := a.tx.conn
	if err := c.rest(); err != nil {
		return err
	}
	switch {
	case a.doubt != nil:
		if err := c.rest(); err != nil {
			return err
		}
		if a.found = c.affected() == 0; !a.found {
			a.resolve(false) // and never will: the id is ours
			a.expired = true // so that the result replaces the claim
		}
	case a.id != "":
		err := c.rows(func(row [][]byte) {
			if len(row[1]) == 1 && row[1][0] == 1 {
				a.known, a.found = append([]byte{}, row[0]...), true
			} else {
				a.expired = true
			}
		})
		if err != nil {
			return err
		}
	}
	if a.found {
		return errKnown
	}
	return nil
}

// undo ends a transaction whose function failed, and decides what that means.
func (a *attempt) undo(err error) outcome {
	broke := a.tx.failed
	if err == nil {
		err = broke // the function passed over an error of the database, but the transaction can't
	}
	if a.found {
		return a.repeat()
	}
	if lost(broke) {
		again := !a.fresh || a.doubt != nil
		a.fresh = true
		a.primary.drop()
		return outcome{err: unavailable(broke), again: again}
	}
	if !a.rollback() && a.found {
		return outcome{result: a.known, repeated: true}
	}
	if conflict(broke) || stale(broke) || errors.Is(broke, errStale) {
		return outcome{err: err, again: true}
	}
	if stateOf(broke) == uniqueViolation && !a.duplicate {
		// Perhaps another transaction has just committed what this one looked for before and didn't find. Seeing it, the
		// function may do something else than fail.
		a.duplicate = true
		return outcome{err: err, again: true}
	}
	return outcome{err: err}
}

// rollback ends the transaction. With an id it looks that up once more: what the function ran into may be the work of the
// same write, done by another process meanwhile.
func (a *attempt) rollback() bool {
	c := a.tx.conn
	if c.broken != nil || c.status == 'I' {
		return true
	}
	c.send(sqlRollback, nil)
	if a.id == "" {
		_ = c.sync() // nobody waits for the answer
		return true
	}
	c.send(sqlKnown, []int16{binaryFormat}, a.id, instant(a.options.Clock()))
	if c.sync() != nil || c.rest() != nil {
		return true
	}
	_ = c.rows(func(row [][]byte) {
		if len(row[1]) == 1 && row[1][0] == 1 {
			a.known, a.found = append([]byte{}, row[0]...), true
		}
	})
	_ = c.end()
	return !a.found
}

// repeat answers with the result that was found. After a claim that failed it is still to be read.
func (a *attempt) repeat() outcome {
	if a.doubt == nil {
		a.rollback()
		return outcome{result: a.known, repeated: true}
	}
	a.found = false
	if a.rollback() {
		return outcome{err: storage.ErrUnavailable, again: true}
	}
	a.resolve(true)
	return outcome{result: a.known}
}

// commit announces the changes and commits.
func (a *attempt) commit(result []byte) outcome {
	t, c := a.tx, a.tx.conn
	if !t.wrote && a.id == "" && len(t.changes) == 0 {
		a.rollback()
		return outcome{result: result}
	}
	finish, err := a.announce()
	if err != nil {
		return a.undo(fmt.Errorf("cannot announce the changes: %w", err))
	}
	if a.id != "" {
		a.keep(result)
	}
	c.send(sqlCommit, nil)
	if err = c.sync(); err == nil {
		err = c.end()
	}
	switch {
	case err == nil && string(c.command) == "COMMIT":
		finish(true)
		return outcome{result: result}
	case err == nil:
		finish(false)
		return outcome{err: errors.New("cannot commit: the transaction had failed before")}
	case c.broken != nil:
		return a.unknown(finish, err)
	}
	finish(false)
	if stateOf(err) == uniqueViolation && !a.rollback() {
		return outcome{result: a.known, repeated: true}
	}
	if c.status != 'I' {
		a.rollback()
	}
	return outcome{err: fmt.Errorf("cannot commit: %w", err), again: conflict(err) || stale(err) || stateOf(err) == uniqueViolation}
}

// keep queues the statements that store the result under the id. Another write's result there makes the commit fail.
func (a *attempt) keep(result []byte) {
	c, expires := a.tx.conn, instant(a.options.Clock().Add(a.options.WriteIDTTL))
	if result == nil {
		result = []byte{}
	}
	if a.expired {
		c.send(sqlUpdateKnown, nil, a.id, result, expires)
		return
	}
	c.send(sqlInsertKnown, nil, a.id, result, expires)
}

// unknown is what to do about a commit that wasn't answered: with an id it can be found out, by the next try.
func (a *attempt) unknown(finish func(bool), err error) outcome {
	a.primary.drop()
	if a.id == "" {
		finish(true)
		return outcome{err: fmt.Errorf("%w: %w", storage.ErrUnknownOutcome, err)}
	}
	a.doubt, a.fresh = finish, true
	return outcome{err: unavailable(err), again: true}
}

func (a *attempt) announce() (finish func(bool), err error) {
	changes := a.tx.changes
	if a.options.Announcer == nil || len(changes) == 0 {
		return func(bool) {}, nil
	}
	if a.tx.order == 0 {
		if err := a.tx.takeOrder(); err != nil {
			return nil, err
		}
	}
	told := make([]change.Change, len(changes))
	for i, c := range changes {
		c.App, c.Version = a.options.App, a.tx.order
		told[i] = c
	}
	ctx, cancel := context.WithTimeout(context.Background(), a.options.AnnounceTimeout)
	defer cancel()
	return a.options.Announcer.Prepare(ctx, told)
}

// takeOrder takes a number for changes that no statement of ours took one for.
func (t *tx) takeOrder() error {
	return t.query(context.Background(), sqlOrder, nil, nil, func(row [][]byte) error {
		t.order = uint64(bigint(row[0]))
		return nil
	})
}

// sweepEvery is how often expired write ids are deleted.
const sweepEvery = 30 * time.Second

// sweep deletes expired write ids, now and then.
func (s *Store) sweep() {
	now := s.options.Clock()
	last := s.sweeping.Load()
	if now.UnixMilli()-last < sweepEvery.Milliseconds() || !s.sweeping.CompareAndSwap(last, now.UnixMilli()) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.options.Timeout)
	defer cancel()
	err := s.use(ctx, func(c *conn) error { return c.exec(sqlSweep, instant(now)) })
	if err != nil {
		s.options.Logger.Warn("cannot delete expired write ids", "error", err)
	}
}
