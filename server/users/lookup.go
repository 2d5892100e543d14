package users

import (
	"context"
	"errors"
	"fmt"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// lookUp returns up to two users that a condition is true of.
func (u *Users) lookUp(ctx context.Context, where query.Expr) (found []storage.Object, err error) {
	err = u.store.Read(ctx, func(s storage.Snapshot) (err error) {
		found, err = matching(ctx, s, where)
		return err
	})
	return found, err
}

// only returns the one user that a condition is true of; nil: it isn't exactly one.
func (u *Users) only(ctx context.Context, where query.Expr) (storage.Object, error) {
	found, err := u.lookUp(ctx, where)
	if len(found) > 1 {
		return nil, err
	}
	return first(found), err
}

// locked is only inside a transaction: nobody else changes that user until it ends.
func locked(ctx context.Context, tx storage.Tx, where query.Expr) (storage.Object, error) {
	found, err := matching(ctx, tx, where)
	if err != nil || len(found) != 1 {
		return nil, err
	}
	id, _ := found[0]["objectId"].(string)
	return lock(ctx, tx, id)
}

// lock locks a user's row; nil: there is none.
func lock(ctx context.Context, tx storage.Tx, id string) (storage.Object, error) {
	_, class, err := classOf(ctx, tx)
	if class == nil || err != nil {
		return nil, err
	}
	return orNone(tx.Lock(ctx, class, id))
}

// get returns a user's row; nil: there is none.
func get(ctx context.Context, s storage.Snapshot, id string) (storage.Object, error) {
	_, class, err := classOf(ctx, s)
	if class == nil || err != nil {
		return nil, err
	}
	return orNone(s.Get(ctx, class, id))
}

// matching returns up to two users that a condition is true of.
func matching(ctx context.Context, s storage.Snapshot, where query.Expr) (found []storage.Object, err error) {
	sch, class, err := classOf(ctx, s)
	if class == nil || err != nil {
		return nil, err
	}
	err = s.Find(ctx, &storage.Find{Schema: sch, Class: class, Where: where, Limit: 2}, func(r storage.Row) error {
		o, err := r.Object()
		found = append(found, o)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot look up a user: %w", err)
	}
	return found, nil
}

// classOf returns the class of users; nil: there is none yet.
func classOf(ctx context.Context, s storage.Snapshot) (*schema.Schema, *schema.Class, error) {
	sch, err := s.Schema(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot look up a user: %w", err)
	}
	return sch, sch.Class(schema.User), nil
}

func orNone(row storage.Object, err error) (storage.Object, error) {
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read a user: %w", err)
	}
	return row, nil
}

func first(found []storage.Object) storage.Object {
	if len(found) == 0 {
		return nil
	}
	return found[0]
}
