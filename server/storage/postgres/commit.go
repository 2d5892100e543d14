package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/storage"
)

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
		a.done(finish)
		return outcome{result: result}
	case err == nil:
		finish(false)
		return outcome{err: errors.New("cannot commit: the transaction had failed before")}
	case c.broken != nil:
		return a.unknown(finish, err, c.session())
	}
	finish(false)
	// Another's result stands under the id, or its claim.
	overtaken := stateOf(err) == uniqueViolation || stateOf(err) == errDivided
	if overtaken && !a.rollback() {
		return outcome{result: a.known, repeated: true}
	}
	if c.status != 'I' {
		a.rollback()
	}
	return outcome{err: fmt.Errorf("cannot commit: %w", err), again: conflict(err) || stale(err) || overtaken}
}

// keep queues the statements that store the result under the id. Another write's result there makes the commit fail.
func (a *attempt) keep(result []byte) {
	c, expires := a.tx.conn, instant(a.options.Clock().Add(a.options.WriteIDTTL))
	if result == nil {
		result = []byte{}
	}
	if a.replaced != "" {
		c.send(sqlUpdateKnown, nil, a.id, result, expires, a.replaced)
		return
	}
	c.send(sqlInsertKnown, nil, a.id, result, expires)
}

// unknown is what to do about a commit that wasn't answered, in a session: with an id it can be found out, by the next try.
func (a *attempt) unknown(finish func(bool), err error, session uint32) outcome {
	a.primary.drop()
	if a.id == "" { // then nobody is announced to either
		finish(true)
		return outcome{err: fmt.Errorf("%w: %w", storage.ErrUnknownOutcome, err)}
	}
	earlier := a.doubt
	a.doubt = func(committed bool) {
		if earlier != nil {
			earlier(committed)
		}
		finish(committed)
	}
	a.fresh = true
	a.lost = append(a.lost, session)
	return outcome{err: unavailable(err), again: true}
}

// told reports whether there is something to announce.
func (a *attempt) told() bool { return a.options.Announcer != nil && len(a.tx.changes) > 0 }

func (a *attempt) announce() (finish func(bool), err error) {
	changes := a.tx.changes
	if !a.told() {
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
