package sqlite

import (
	"context"
	"fmt"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// tx is one write's view of its group's transaction. Its methods ignore their contexts: a write that has begun runs to
// its end.
type tx struct {
	snapshot
	changes []change.Change
}

var _ storage.Tx = (*tx)(nil)

// Lock implements storage.Tx. Nobody else writes while a transaction is open.
func (t *tx) Lock(ctx context.Context, class *schema.Class, objectID string) (storage.Object, error) {
	return t.Get(ctx, class, objectID)
}

// Insert implements storage.Tx.
func (t *tx) Insert(_ context.Context, class *schema.Class, o storage.Object) error {
	b := &t.conn.builder
	if err := b.Insert(dialect{t.catalog}, class, o); err != nil {
		return err
	}
	if _, err := t.conn.exec(b.SQL, b.Args...); err != nil {
		return writeError("insert an object", class.Name, err)
	}
	return nil
}

// Update implements storage.Tx.
func (t *tx) Update(_ context.Context, class *schema.Class, objectID string, set storage.Object) error {
	b := &t.conn.builder
	if err := b.Update(dialect{t.catalog}, class, objectID, set); err != nil {
		return err
	}
	n, err := t.conn.exec(b.SQL, b.Args...)
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
	b := &t.conn.builder
	b.Delete(dialect{t.catalog}, class)
	n, err := t.conn.exec(b.SQL, objectID)
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
	return t.join("INSERT OR IGNORE INTO ", ` ("relatedId","owningId") VALUES (?1,?2)`, class, field, owner, related)
}

// Unlink implements storage.Tx.
func (t *tx) Unlink(_ context.Context, class, field, owner string, related []string) ([]string, error) {
	return t.join("DELETE FROM ", ` WHERE "relatedId"=?1 AND "owningId"=?2`, class, field, owner, related)
}

// join runs a statement on a join table for each related id and returns those for which it changed something.
func (t *tx) join(verb, rest, class, field, owner string, related []string) ([]string, error) {
	table := schema.JoinTable(class, field)
	if !t.catalog.has(table) {
		return nil, fmt.Errorf("cannot change the relation %s of %s: there is none; put the class first", field, class)
	}
	sql := append(t.catalog.AppendTable([]byte(verb), table), rest...)
	var changed []string
	for _, id := range related {
		n, err := t.conn.exec(sql, id, owner)
		if err != nil {
			return nil, fmt.Errorf("cannot change the relation %s of %s: %w", field, class, err)
		}
		if n > 0 {
			changed = append(changed, id)
		}
	}
	return changed, nil
}

// Last implements storage.Tx: there is no round trip to save.
func (t *tx) Last() {}

// Emit implements storage.Tx.
func (t *tx) Emit(c change.Change) { t.changes = append(t.changes, c) }
