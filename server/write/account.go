package write

import (
	"context"
	"maps"
	"time"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// UpdateIf is Update on the condition that the object, locked as it is, holds what the caller wants to rely on: the error
// of holds is returned as it is.
func (p *Path) UpdateIf(ctx context.Context, c auth.Caller, class, objectID string, body []byte, holds func(storage.Object) error) (*Result, error) {
	return p.update(ctx, c, class, objectID, body, "", holds)
}

// SetUser changes columns of a user, of whom row is the locked row, inside a transaction; nil unsets. It is for what the
// server keeps of an account and no client may write: nothing is checked, and updatedAt stays, as in parse-server.
func (p *Path) SetUser(ctx context.Context, tx storage.Tx, row, set storage.Object) error {
	return p.setColumns(ctx, tx, schema.User, row, set)
}

// ExtendSession gives a session, of which row is the locked row, its full length again.
func (p *Path) ExtendSession(ctx context.Context, tx storage.Tx, row storage.Object) error {
	now := p.o.Now().UTC().Truncate(time.Millisecond)
	return p.setColumns(ctx, tx, schema.Session, row, storage.Object{
		"expiresAt": query.Date{Time: now.Add(seconds(p.o.SessionLength))}, "updatedAt": query.Date{Time: now},
	})
}

func (p *Path) setColumns(ctx context.Context, tx storage.Tx, class string, row, set storage.Object) error {
	sch, err := tx.Schema(ctx)
	if err != nil {
		return err
	}
	w := &writing{Path: p, ctx: ctx, tx: tx, sch: sch, name: class, class: sch.Class(class), old: row, row: maps.Clone(row)}
	w.id, _ = row["objectId"].(string)
	for column, v := range set {
		w.put(column, v)
	}
	return w.save()
}
