package write

import (
	"context"
	"errors"
	"time"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// once keeps the caller's request id in the write's own transaction, and refuses one that is kept already: a client that
// doesn't know whether its write was done may send it again. A write that fails keeps no id.
//
// The rows are those of parse-server, so that both may serve one database. They are no objects that anybody reads, so
// they aren't announced.
func (p *Path) once(ctx context.Context, tx storage.Tx, id string) error {
	if len(id) > maxRequestID {
		return parseerror.New(parseerror.InvalidJSON, "The request id must not be longer than %d bytes", maxRequestID)
	}
	sch, err := tx.Schema(ctx)
	if err != nil {
		return err
	}
	class := sch.Class(schema.Idempotency)
	if class == nil || len(class.Columns) == 0 {
		if class, err = tx.PutClass(ctx, schema.New(schema.Idempotency, nil)); err != nil {
			return err
		}
		if sch, err = tx.Schema(ctx); err != nil {
			return err
		}
	}
	now := query.Date{Time: p.o.Now().UTC().Truncate(time.Millisecond)}
	kept := false
	var expired []string
	err = tx.Find(ctx, &storage.Find{
		Schema: sch, Class: class, Limit: maxSwept, Columns: []string{"expire"},
		Where: query.Or{
			&query.Compare{Path: "reqId", Op: query.Eq, Value: id},
			&query.Compare{Path: "expire", Op: query.Lt, Value: now},
		},
	}, func(r storage.Row) error {
		o, err := r.Object()
		if err != nil {
			return err
		}
		if end, ok := o["expire"].(query.Date); ok && end.Before(now.Time) {
			expired = append(expired, r.ObjectID())
		} else {
			kept = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	if kept {
		return duplicateRequest()
	}
	for _, id := range expired {
		if err := tx.Delete(ctx, class, id); err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
	}
	rowID, err := randomString(p.o.Random, p.o.ObjectIDSize)
	if err != nil {
		return err
	}
	err = tx.Insert(ctx, class, storage.Object{
		"objectId": rowID, "createdAt": now, "updatedAt": now, "reqId": id, "expire": query.Date{Time: now.Add(p.o.RequestIDTTL)},
	})
	var d *storage.Duplicate
	if errors.As(err, &d) {
		return duplicateRequest()
	}
	return err
}

// checkOnce refuses a request id that is kept already, before the app's code is asked about the write.
func (p *Path) checkOnce(ctx context.Context, s storage.Snapshot, id string) error {
	sch, err := s.Schema(ctx)
	if err != nil {
		return err
	}
	class := sch.Class(schema.Idempotency)
	if class == nil || len(class.Columns) == 0 {
		return nil
	}
	n, err := s.Count(ctx, &storage.Find{Schema: sch, Class: class, Where: query.And{
		&query.Compare{Path: "reqId", Op: query.Eq, Value: id},
		&query.Compare{Path: "expire", Op: query.Gte, Value: query.Date{Time: p.o.Now().UTC().Truncate(time.Millisecond)}},
	}})
	if err == nil && n > 0 {
		err = duplicateRequest()
	}
	return err
}

// Once keeps the caller's request id by itself, for what is done outside of a transaction.
func (p *Path) Once(ctx context.Context, c auth.Caller) error {
	_, err := p.Do(ctx, c, "", func(storage.Tx, *auth.Auth) (*Result, error) { return &Result{Status: 200}, nil })
	return err
}

func duplicateRequest() error {
	return parseerror.New(parseerror.DuplicateRequest, "Duplicate request")
}

const (
	// maxRequestID bounds the ids that clients send, in bytes.
	maxRequestID = 256
	// maxSwept is how many expired ids one write deletes.
	maxSwept = 20
)
