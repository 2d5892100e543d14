package postgres

import (
	"context"
	"fmt"

	"github.com/parsescale/parsescale/server/schema"
)

// Owners implements storage.Snapshot.
func (s *snapshot) Owners(ctx context.Context, class, field string, related []string) ([]string, error) {
	return s.joined(ctx, class, field, "owningId", "relatedId", related)
}

// Members implements storage.Snapshot.
func (s *snapshot) Members(ctx context.Context, class, field, owner string) ([]string, error) {
	return s.joined(ctx, class, field, "relatedId", "owningId", []string{owner})
}

// joined selects a column of a join table where another one is one of ids.
func (s *snapshot) joined(ctx context.Context, class, field, want, by string, ids []string) (out []string, err error) {
	table := schema.JoinTable(class, field)
	if !s.catalog.has(table) || len(ids) == 0 {
		return nil, nil
	}
	clean := texts(ids)
	for i, id := range ids {
		clean.items[i] = storable(id)
	}
	b, err := s.builder()
	if err != nil {
		return nil, err
	}
	b.Reset(dialect{})
	// In the order of bytes, on every database.
	b.Raw(`SELECT DISTINCT "` + want + `"::text COLLATE "C" AS id FROM `)
	b.SQL = dialect{}.AppendTable(b.SQL, table)
	b.Raw(" WHERE ")
	dialect{}.In(b, `"`+by+`"`, schema.Field{Type: schema.String}, clean.items, false)
	b.Raw(" ORDER BY id")
	err = s.query(ctx, b.SQL, nil, b.Args, func(r [][]byte) error {
		out = append(out, string(r[0]))
		return nil
	})
	if err != nil {
		return nil, queryError(fmt.Sprintf("read the relation %s of %s", field, class), err)
	}
	return out, nil
}
