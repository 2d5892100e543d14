package storetest

import (
	"context"

	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// Hasty returns the store with writes that say of each change that it is the last one, whether it is or not.
func Hasty(s storage.Store) storage.Store { return hasty{s} }

type hasty struct{ storage.Store }

type hastyTx struct{ storage.Tx }

func (h hasty) Write(ctx context.Context, id string, f func(storage.Tx) ([]byte, error)) ([]byte, bool, error) {
	return h.Store.Write(ctx, id, func(tx storage.Tx) ([]byte, error) { return f(hastyTx{tx}) })
}

func (t hastyTx) Insert(ctx context.Context, class *schema.Class, o storage.Object) error {
	t.Last()
	return t.Tx.Insert(ctx, class, o)
}

func (t hastyTx) Update(ctx context.Context, class *schema.Class, objectID string, set storage.Object) error {
	if _, err := t.Lock(ctx, class, objectID); err != nil {
		return err
	}
	t.Last()
	return t.Tx.Update(ctx, class, objectID, set)
}

func (t hastyTx) Delete(ctx context.Context, class *schema.Class, objectID string) error {
	if _, err := t.Lock(ctx, class, objectID); err != nil {
		return err
	}
	t.Last()
	return t.Tx.Delete(ctx, class, objectID)
}
