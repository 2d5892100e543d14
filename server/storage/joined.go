package storage

import "context"

// Joined returns a store whose reads and writes join the transaction that their context carries, if there is one: several
// of them become one then. Others are the store's own.
func Joined(s Store) Store { return joined{s} }

type joined struct{ Store }

type txKey struct{}

// Within returns a context in which the reads and writes of a Joined store are part of tx. They are made one after the
// other, and an error of one must fail the transaction: what it did isn't undone by itself.
func Within(ctx context.Context, tx Tx) context.Context { return context.WithValue(ctx, txKey{}, tx) }

// Read implements Store.
func (s joined) Read(ctx context.Context, f func(Snapshot) error) error {
	if tx, ok := ctx.Value(txKey{}).(Tx); ok {
		return f(tx)
	}
	return s.Store.Read(ctx, f)
}

// Write implements Store. Within a transaction the id counts for nothing: that of the transaction does.
func (s joined) Write(ctx context.Context, id string, f func(Tx) ([]byte, error)) ([]byte, bool, error) {
	if tx, ok := ctx.Value(txKey{}).(Tx); ok {
		result, err := f(tx)
		return result, false, err
	}
	return s.Store.Write(ctx, id, f)
}
