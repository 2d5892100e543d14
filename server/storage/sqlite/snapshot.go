package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"

	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/sqlbuild"
)

// snapshot reads on a connection whose state query is open, or inside a transaction.
type snapshot struct {
	conn    *conn
	catalog *catalog
	// within a transaction queries run to their end whatever their context says.
	writing bool
}

// Schema implements storage.Snapshot.
func (s *snapshot) Schema(context.Context) (*schema.Schema, error) { return s.catalog.schema, nil }

// Find implements storage.Snapshot.
func (s *snapshot) Find(ctx context.Context, f *storage.Find, each func(storage.Row) error) error {
	p := s.catalog.plan(f.Class)
	if f.Columns != nil {
		p = newPlan(p.Choose(f.Columns))
	}
	if f.Score {
		p = newPlan(p.Scored())
	}
	if err := s.conn.builder.Find(dialect{s.catalog}, f, p.Names); err != nil || s.conn.builder.Empty {
		return err
	}
	if s.writing || sqlbuild.ByID(f.Where) {
		ctx = context.Background()
	}
	cur, err := s.conn.query(ctx, s.conn.builder.SQL, s.conn.builder.Args, len(p.Names))
	if err != nil {
		return s.failed(ctx, "find objects of "+f.Class.Name, err)
	}
	defer cur.close()
	row := p.row(cur)
	for {
		ok, err := cur.next()
		if err == nil && !s.writing {
			err = ctx.Err()
		}
		if err != nil {
			return s.failed(ctx, "find objects of "+f.Class.Name, err)
		}
		if !ok {
			return nil
		}
		if err := each(row); err != nil {
			return err
		}
	}
}

func (s *snapshot) failed(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch text := err.Error(); {
	case strings.Contains(text, errRegexTimeout.Error()):
		return &storage.Unsupported{Code: codeInvalidQuery, Message: errRegexTimeout.Error()}
	case strings.Contains(text, "too many SQL variables"), strings.Contains(text, "Expression tree is too large"),
		strings.Contains(text, "too big"), strings.Contains(text, "parser stack overflow"):
		return &storage.Unsupported{Code: codeInvalidQuery, Message: "The query has too many conditions"}
	}
	return fmt.Errorf("cannot %s: %w", what, err)
}

// Count implements storage.Snapshot.
func (s *snapshot) Count(ctx context.Context, f *storage.Find) (int64, error) {
	if err := s.conn.builder.Count(dialect{s.catalog}, f); err != nil || s.conn.builder.Empty {
		return 0, err
	}
	if s.writing {
		ctx = context.Background()
	}
	cur, err := s.conn.query(ctx, s.conn.builder.SQL, s.conn.builder.Args, 1)
	if err != nil {
		return 0, s.failed(ctx, "count objects of "+f.Class.Name, err)
	}
	defer cur.close()
	if _, err := cur.next(); err != nil {
		return 0, s.failed(ctx, "count objects of "+f.Class.Name, err)
	}
	return cur.row[0].(int64), nil
}

// Get implements storage.Snapshot.
func (s *snapshot) Get(_ context.Context, class *schema.Class, objectID string) (storage.Object, error) {
	p := s.catalog.plan(class)
	if len(p.Names) == 0 {
		return nil, nil
	}
	cur, err := s.conn.query(context.Background(), p.byID, []any{objectID}, len(p.Names))
	if err != nil {
		return nil, fmt.Errorf("cannot get an object of %s: %w", class.Name, err)
	}
	defer cur.close()
	ok, err := cur.next()
	if err != nil {
		return nil, fmt.Errorf("cannot get an object of %s: %w", class.Name, err)
	}
	if !ok {
		return nil, nil
	}
	return p.row(cur).Object()
}

// Owners implements storage.Snapshot.
func (s *snapshot) Owners(_ context.Context, class, field string, related []string) ([]string, error) {
	ids := make([]any, len(related))
	for i, id := range related {
		ids[i] = id
	}
	return s.joined(class, field, "owningId", "relatedId", ids)
}

// Members implements storage.Snapshot.
func (s *snapshot) Members(_ context.Context, class, field, owner string) ([]string, error) {
	return s.joined(class, field, "relatedId", "owningId", []any{owner})
}

// joined selects a column of a join table where another one is one of ids.
func (s *snapshot) joined(class, field, want, by string, ids []any) ([]string, error) {
	table := schema.JoinTable(class, field)
	if !s.catalog.has(table) || len(ids) == 0 {
		return nil, nil
	}
	b, d := &s.conn.builder, dialect{s.catalog}
	b.Reset(d)
	b.Raw(`SELECT DISTINCT "` + want + `" FROM `)
	b.SQL = d.AppendTable(b.SQL, table)
	b.Raw(" WHERE ")
	d.In(b, `"`+by+`"`, schema.Field{Type: schema.String}, ids, false)
	b.Raw(` ORDER BY "` + want + `"`)
	var out []string
	err := s.conn.each(string(b.SQL), 1, b.Args, func(row []driver.Value) error {
		out = append(out, row[0].(string))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the relation %s of %s: %w", field, class, err)
	}
	return out, nil
}
