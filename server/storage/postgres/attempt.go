package postgres

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/parsescale/parsescale/server/storage"
)

// errKnown stops a write whose id was found.
var errKnown = errors.New("the write was done before")

// attempt is one transaction of a write.
type attempt struct {
	*write
	tx    *tx
	known []byte // the result that was found under the id
	found bool
	// replaced is the mark of the row that the result takes the place of: a claim, or a result whose time is over. "": none.
	replaced string
	// calledOff is true if the connection was given up because its claim took too long.
	calledOff bool
}

// try runs the write in one transaction.
func (w *write) try(ctx context.Context) outcome {
	cat := w.catalog.Load()
	a := &attempt{write: w, tx: &tx{store: w.Store, snapshot: snapshot{catalog: cat, writing: true, patient: w.patient || w.doubt != nil}}}
	t := a.tx
	t.first, t.begun = a.first, a.begun
	t.take = func() (*conn, error) { return w.primary.take(ctx, w.fresh) }
	if w.fresh || w.doubt != nil {
		if err := t.connect(); err != nil {
			return outcome{err: err}
		}
	} else if !w.apart {
		t.sharing = w.Store
	}
	finished := false
	defer func() {
		t.release()
		if t.conn == nil {
			return
		}
		if !finished {
			t.conn.close() // the function ended its goroutine
		}
		w.primary.give(t.conn)
	}()
	result, err := w.call(a.tx)
	if a.tx.pending == nil {
		if settled := a.tx.settle(); err == nil {
			err = settled
		}
	}
	var o outcome
	switch {
	case err != nil || a.tx.failed != nil:
		o = a.undo(err)
	case a.tx.pending != nil:
		o = a.commitLast(result)
	default:
		o = a.commit(result)
	}
	if a.doubt != nil && o.err != nil && t.conn != nil && t.conn.broken == nil {
		o = a.claim(o)
	}
	finished = true
	if o.err == nil && a.tx.catalog != cat {
		o.old = cat
	}
	if broke := a.tx.failed; o.again && (errors.Is(broke, errStale) || stale(broke)) {
		if stale(broke) && t.conn.broken == nil {
			t.conn.forget()
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
		c.send(sqlClaimKnown, nil, a.id, instant(now.Add(a.options.WriteIDTTL)), instant(now))
	case a.id != "":
		c.send(sqlKnown, []int16{binaryFormat}, a.id, instant(now))
	}
}

// begun reads the answers to first.
func (a *attempt) begun() error {
	c := a.tx.conn
	if a.doubt != nil {
		defer a.bound()()
	}
	if err := c.rest(); err != nil {
		return err
	}
	switch {
	case a.doubt != nil:
		if err := c.rows(a.readClaim); err != nil {
			return err
		}
		a.found = a.replaced == ""
	case a.id != "":
		if err := c.rows(a.readKnown); err != nil {
			return err
		}
	}
	if a.found {
		return errKnown
	}
	return nil
}

// claim takes the id for good after a try that failed, so that an earlier commit that wasn't answered can't arrive any more:
// what was claimed in the failed transaction is free again.
func (a *attempt) claim(o outcome) outcome {
	c := a.tx.conn
	now := a.options.Clock()
	a.replaced = ""
	defer a.bound()()
	c.send(sqlClaimKnown, nil, a.id, instant(now.Add(a.options.WriteIDTTL)), instant(now))
	err := c.sync()
	if err == nil {
		err = c.rows(a.readClaim)
	}
	if err = errors.Join(err, c.end()); err != nil || a.replaced == "" {
		o.again = true // it has arrived, or it still isn't known
		return o
	}
	a.resolve(false)
	return o
}

// bound calls off the claim of an id that isn't done in time, with the connection: the commit in doubt holds it up. stop must be called.
func (a *attempt) bound() (stop func()) {
	ctx, cancel := context.WithTimeout(context.Background(), a.options.Timeout)
	answered := a.tx.conn.watch(ctx)
	return func() {
		a.calledOff = answered()
		cancel()
	}
}

// done tells the announcer of a commit, and that an earlier one which wasn't answered never came: the id is this one's.
func (a *attempt) done(finish func(bool)) {
	a.resolve(false)
	finish(true)
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
	if a.tx.conn == nil && broke != nil && !errors.Is(broke, errOver) {
		return outcome{err: broke} // there is no connection to be had
	}
	if lost(broke) {
		again := !a.fresh || a.doubt != nil
		a.fresh = true
		if !a.calledOff { // else the server is there, and the connections that nobody uses lead to it
			a.primary.drop()
		}
		return outcome{err: unavailable(broke), again: again}
	}
	if !a.rollback() && a.found {
		return outcome{result: a.known, repeated: true}
	}
	if errors.Is(broke, errOver) {
		a.patient = true // what was said to be the last change wasn't
	}
	if conflict(broke) || stale(broke) || errors.Is(broke, errStale) || errors.Is(broke, errOver) {
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
	if c == nil || c.broken != nil || c.status == 'I' {
		return true
	}
	c.send(sqlRollback, nil)
	if a.id == "" {
		_ = c.sync() // nobody waits for the answer
		return true
	}
	a.lookUp()
	return !a.found
}

// lookUp finds out whether the id is known, after what is queued: a ROLLBACK, if a transaction is open.
func (a *attempt) lookUp() {
	c := a.tx.conn
	c.send(sqlKnown, []int16{binaryFormat}, a.id, instant(a.options.Clock()))
	if c.sync() != nil || a.tx.open && c.rest() != nil {
		return
	}
	_ = c.rows(a.readKnown)
	_ = c.end()
}

// readKnown reads a row of selectKnown.
func (a *attempt) readKnown(row [][]byte) {
	if len(row[1]) == 1 && row[1][0] == 1 {
		a.known, a.found = append([]byte{}, row[0]...), true
	} else {
		a.replaced = string(row[2])
	}
}

// readClaim reads the row of a claim that was made; there is none if the id is known.
func (a *attempt) readClaim(row [][]byte) { a.replaced = string(row[0]) }

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
