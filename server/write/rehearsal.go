package write

import (
	"context"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// rehearsal is a transaction that does nothing: what a write may do is found out with it before the app's code is asked,
// in a snapshot that others don't wait for.
type rehearsal struct{ storage.Snapshot }

func (r rehearsal) Lock(ctx context.Context, class *schema.Class, id string) (storage.Object, error) {
	return r.Get(ctx, class, id)
}

func (rehearsal) Insert(context.Context, *schema.Class, storage.Object) error { return nil }

func (rehearsal) Update(context.Context, *schema.Class, string, storage.Object) error { return nil }

func (rehearsal) Delete(context.Context, *schema.Class, string) error { return nil }

func (rehearsal) Link(context.Context, string, string, string, []string) ([]string, error) {
	return nil, nil
}

func (rehearsal) Unlink(context.Context, string, string, string, []string) ([]string, error) {
	return nil, nil
}

func (r rehearsal) LockSchema(ctx context.Context) (*schema.Schema, error) { return r.Schema(ctx) }

func (rehearsal) LockClass(context.Context, *schema.Class) error { return nil }

func (rehearsal) PutClass(_ context.Context, class *schema.Class) (*schema.Class, error) {
	return class, nil
}

func (rehearsal) AlterClass(_ context.Context, class *schema.Class) (*schema.Class, error) {
	return class, nil
}

func (rehearsal) DropClass(context.Context, string) error { return nil }

func (rehearsal) Purge(context.Context, *schema.Class) error { return nil }

func (rehearsal) Emit(change.Change) {}

func (rehearsal) Last() {}
