package storage

import "context"

// Joined returns a store whose reads and writes join the transaction that their context carries, if there is one: several
// of them become one then. Others are the store's own.
func Joined(s Store) Store { return joined{s} }

type joined struct{ Store }

type txKey struct{}

// part is the transaction that a context carries.
type part struct {
	Tx
	after []func()
}

// Last implements Tx: what is the last of one write isn't that of all.
func (*part) Last() {}

// Within returns a context in which the reads and writes of a Joined store are part of tx. They are made one after the
// other, and an error of one must fail the transaction: what it did isn't undone by itself. Once the transaction is
// committed, committed must be called: it does what was left for then.
func Within(ctx context.Context, tx Tx) (within context.Context, committed func()) {
	p := &part{Tx: tx}
	return context.WithValue(ctx, txKey{}, p), func() {
		for _, f := range p.after {
			f()
		}
	}
}

// Inside reports whether the context carries a transaction.
func Inside(ctx context.Context) bool {
	_, ok := ctx.Value(txKey{}).(*part)
	return ok
}

// Outside returns a context that carries no transaction, for what is done after one.
func Outside(ctx context.Context) context.Context { return context.WithValue(ctx, txKey{}, nil) }

// AfterCommit calls f once the transaction that the context carries is committed; now, if it carries none.
func AfterCommit(ctx context.Context, f func()) {
	if p, ok := ctx.Value(txKey{}).(*part); ok {
		p.after = append(p.after, f)
		return
	}
	f()
}

// Read implements Store.
func (s joined) Read(ctx context.Context, f func(Snapshot) error) error {
	if p, ok := ctx.Value(txKey{}).(*part); ok {
		return f(p.Tx)
	}
	return s.Store.Read(ctx, f)
}

// Written implements Store. Within a transaction there are no ids.
func (s joined) Written(ctx context.Context, id string) ([]byte, bool, error) {
	if Inside(ctx) {
		return nil, false, nil
	}
	return s.Store.Written(ctx, id)
}

// Write implements Store. Within a transaction the id counts for nothing: that of the transaction does.
func (s joined) Write(ctx context.Context, id string, f func(Tx) ([]byte, error)) ([]byte, bool, error) {
	if p, ok := ctx.Value(txKey{}).(*part); ok {
		result, err := f(p)
		return result, false, err
	}
	return s.Store.Write(ctx, id, f)
}
