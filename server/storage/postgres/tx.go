package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// tx is a write's transaction. Each statement sees what others have committed before it; what is about to be changed is
// locked first. Its methods ignore their contexts: a write that has begun runs to its end.
type tx struct {
	snapshot
	store   *Store
	changes []change.Change
	// order is the number, from a sequence, that was taken last while a row was locked that changes: so of two changes of
	// one object the later one has the larger number.
	order uint64
	// numbered is the object that was locked when order was taken.
	numbered objectKey
	wrote    bool
	// last: what is changed next ends the transaction; pending is that.
	last    bool
	pending *pending
}

type objectKey struct{ class, id string }

var _ storage.Tx = (*tx)(nil)

const selectOrder = `SELECT nextval('parsescale._change'::regclass)`

var sqlOrder = []byte(selectOrder)

// Lock implements storage.Tx.
func (t *tx) Lock(ctx context.Context, class *schema.Class, objectID string) (storage.Object, error) {
	p := t.catalog.plan(class)
	var others []beside
	if t.store.options.Announcer != nil {
		others = []beside{{sqlOrder, func(row [][]byte) { t.order = uint64(bigint(row[0])) }}}
	}
	o, err := t.object(ctx, class, p, p.lock, objectID, others...)
	if err == nil && o != nil {
		t.numbered = objectKey{class.Name, objectID}
	}
	return o, err
}

const lockTexts = `SELECT pg_advisory_xact_lock(hashtextextended(k, 0)) FROM unnest($1::text[]) AS k`

var sqlLockTexts = []byte(lockTexts)

// Find implements storage.Snapshot. Whoever asks, in order to take it, whether a name is taken, is alone with that name, in
// whatever case, until the transaction ends.
func (t *tx) Find(ctx context.Context, f *storage.Find, each func(storage.Row) error) error {
	if f.CaseInsensitive || f.Exclusive {
		names := comparedTexts(f.Where, nil)
		slices.Sort(names)
		for i, name := range names {
			names[i] = f.Class.Name + ":" + storable(strings.ToLower(name))
		}
		if err := t.query(ctx, sqlLockTexts, nil, []any{texts(names)}, func([][]byte) error { return nil }); err != nil {
			return queryError("find objects of "+f.Class.Name, err)
		}
	}
	return t.snapshot.Find(ctx, f, each)
}

// comparedTexts returns the texts that a where compares fields with.
func comparedTexts(e query.Expr, list []string) []string {
	switch e := e.(type) {
	case query.And:
		for _, term := range e {
			list = comparedTexts(term, list)
		}
	case query.Or:
		for _, term := range e {
			list = comparedTexts(term, list)
		}
	case *query.Compare:
		if text, ok := e.Value.(string); ok && e.Op == query.Eq {
			list = append(list, text)
		}
	}
	return list
}

// change runs a statement that changes rows of an object and returns how many.
func (t *tx) change(key objectKey, sql []byte, args ...any) (int64, error) {
	ordered := t.store.options.Announcer != nil && (key != t.numbered || key == objectKey{})
	err := t.ask(func() {
		t.conn.send(sql, nil, args...)
		if ordered {
			t.conn.send(sqlOrder, nil)
		}
	})
	if err != nil {
		return 0, err
	}
	if err := t.conn.rest(); err != nil {
		return 0, t.fail(err)
	}
	n := t.conn.affected()
	if ordered {
		if err := t.conn.rows(func(row [][]byte) { t.order = uint64(bigint(row[0])) }); err != nil {
			return 0, t.fail(err)
		}
	}
	t.wrote = true
	return n, t.close()
}

// Insert implements storage.Tx.
func (t *tx) Insert(_ context.Context, class *schema.Class, o storage.Object) error {
	b, err := t.builder()
	if err != nil {
		return err
	}
	if t.mayWait() {
		if done, err := t.insertLast(class, o); done || err != nil {
			return err
		}
	}
	if err := b.Insert(dialect{}, class, o); err != nil {
		return err
	}
	if _, err := t.change(objectKey{}, b.SQL, b.Args...); err != nil {
		return writeError(insertAnObject, class.Name, err)
	}
	return nil
}

// Update implements storage.Tx.
func (t *tx) Update(_ context.Context, class *schema.Class, objectID string, set storage.Object) error {
	b, err := t.builder()
	if err != nil {
		return err
	}
	if err := b.Update(dialect{}, class, storable(objectID), set); err != nil {
		return err
	}
	key := objectKey{class.Name, objectID}
	if t.mayWait() && key == t.numbered {
		t.wait(pending{what: "update an object", class: class, sql: mustChange(b.SQL), args: b.Args})
		return nil
	}
	n, err := t.change(key, b.SQL, b.Args...)
	if err != nil {
		return writeError("update an object", class.Name, err)
	}
	if n == 0 {
		return storage.ErrNotFound
	}
	return nil
}

// Delete implements storage.Tx.
func (t *tx) Delete(_ context.Context, class *schema.Class, objectID string) error {
	if len(class.Columns) == 0 {
		return storage.ErrNotFound
	}
	b, err := t.builder()
	if err != nil {
		return err
	}
	b.Delete(dialect{}, class)
	key := objectKey{class.Name, objectID}
	if t.mayWait() && key == t.numbered {
		t.wait(pending{what: "delete an object", class: class, sql: mustChange(b.SQL), args: []any{storable(objectID)}})
		return nil
	}
	n, err := t.change(key, b.SQL, storable(objectID))
	t.numbered = objectKey{} // it isn't there any more
	if err != nil {
		return writeError("delete an object", class.Name, err)
	}
	if n == 0 {
		return storage.ErrNotFound
	}
	return nil
}

// Link implements storage.Tx.
func (t *tx) Link(_ context.Context, class, field, owner string, related []string) ([]string, error) {
	return t.join("INSERT INTO ", ` ("relatedId","owningId") SELECT id, $2::text FROM unnest($1::text[]) AS id ON CONFLICT DO NOTHING RETURNING "relatedId"`,
		class, field, owner, related)
}

// Unlink implements storage.Tx.
func (t *tx) Unlink(_ context.Context, class, field, owner string, related []string) ([]string, error) {
	return t.join("DELETE FROM ", ` WHERE "relatedId" = ANY($1::text[]) AND "owningId" = $2::text RETURNING "relatedId"`, class, field, owner, related)
}

// join runs a statement on a join table and returns those of the related ids, in their order, for which it changed
// something.
func (t *tx) join(verb, rest, class, field, owner string, related []string) ([]string, error) {
	table := schema.JoinTable(class, field)
	if !t.catalog.has(table) {
		return nil, fmt.Errorf("cannot change the relation %s of %s: there is none; put the class first", field, class)
	}
	if len(related) == 0 {
		return nil, nil
	}
	sql := append(dialect{}.AppendTable([]byte(verb), table), rest...)
	made := map[string]bool{}
	err := t.query(context.Background(), sql, nil, []any{texts(related), owner}, func(row [][]byte) error {
		made[string(row[0])] = true
		return nil
	})
	if err != nil {
		return nil, writeError("change the relation "+field, class, err)
	}
	t.wrote = true
	var changed []string
	for _, id := range related {
		if made[id] {
			changed = append(changed, id)
			delete(made, id)
		}
	}
	return changed, nil
}

// Emit implements storage.Tx.
func (t *tx) Emit(c change.Change) { t.changes = append(t.changes, c) }
