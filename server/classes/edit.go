package classes

import (
	"context"

	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// Edit is a change of several classes, which happens as a whole or not at all.
type Edit struct {
	p   *Path
	ctx context.Context
	tx  storage.Tx
}

// Edit calls f, possibly more than once, in a transaction in which nobody else changes classes.
func (p *Path) Edit(ctx context.Context, f func(*Edit) error) error {
	_, _, err := p.store.Write(ctx, "", func(tx storage.Tx) ([]byte, error) {
		if _, err := tx.LockSchema(ctx); err != nil {
			return nil, err
		}
		return nil, f(&Edit{p: p, ctx: ctx, tx: tx})
	})
	return err
}

// Schema returns the classes as they are now, the changes of this Edit included.
func (e *Edit) Schema() (*schema.Schema, error) { return e.tx.Schema(e.ctx) }

// Create makes a class that isn't there yet.
func (e *Edit) Create(name string, d Definition) error { return e.apply(name, d, e.p.create) }

// Update changes a class that is there.
func (e *Edit) Update(name string, d Definition) error { return e.apply(name, d, e.p.update) }

func (e *Edit) apply(name string, d Definition, f func(context.Context, storage.Tx, *schema.Class, string, *definition) (*schema.Class, error)) error {
	def, err := d.read()
	if err != nil {
		return err
	}
	s, err := e.tx.Schema(e.ctx)
	if err != nil {
		return err
	}
	_, err = f(e.ctx, e.tx, s.Class(name), name, def)
	return err
}
