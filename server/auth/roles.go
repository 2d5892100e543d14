package auth

import (
	"context"
	"fmt"
	"slices"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// roleBatch is how many role ids one query names.
const roleBatch = 500

// rolesOf returns the names ("role:X") and ids of the roles a user has, both sorted: those whose users hold the user,
// then, step by step, those whose roles hold a role found before. A role seen once isn't followed again, which cuts
// cycles.
func rolesOf(ctx context.Context, s storage.Snapshot, sch *schema.Schema, userID string) (names, ids []string, err error) {
	class := sch.Class(schema.Role)
	if class == nil {
		return nil, nil, nil
	}
	seen := map[string]bool{}
	next, err := s.Owners(ctx, schema.Role, "users", []string{userID})
	for err == nil {
		var fresh []string
		for _, id := range next {
			if !seen[id] {
				seen[id] = true
				fresh = append(fresh, id)
			}
		}
		if len(fresh) == 0 {
			break
		}
		next = nil
		for chunk := range slices.Chunk(fresh, roleBatch) {
			var owners []string
			if owners, err = s.Owners(ctx, schema.Role, "roles", chunk); err != nil {
				break
			}
			next = append(next, owners...)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read the roles of a user: %w", err)
	}
	members := make([]string, 0, len(seen))
	for id := range seen {
		members = append(members, id)
	}
	slices.Sort(members)
	// A row of a join table outlives its role; only roles that exist count.
	for chunk := range slices.Chunk(members, roleBatch) {
		values := make([]any, len(chunk))
		for i, id := range chunk {
			values[i] = id
		}
		err := s.Find(ctx, &storage.Find{
			Schema: sch, Class: class, Limit: -1, Columns: []string{"name"},
			Where: &query.In{Path: "objectId", Values: values},
		}, func(r storage.Row) error {
			o, err := r.Object()
			if err != nil {
				return err
			}
			if name, ok := o["name"].(string); ok && name != "" {
				names = append(names, "role:"+name)
				ids = append(ids, r.ObjectID())
			}
			return nil
		})
		if err != nil {
			return nil, nil, fmt.Errorf("cannot read the names of a user's roles: %w", err)
		}
	}
	slices.Sort(names)
	slices.Sort(ids)
	return slices.Compact(names), ids, nil
}
