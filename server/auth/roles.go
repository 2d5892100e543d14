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
// cycles. A row of a join table outlives its role, so at each step only roles that exist count, and lead on.
func rolesOf(ctx context.Context, s storage.Snapshot, sch *schema.Schema, userID string) (names, ids []string, err error) {
	class := sch.Class(schema.Role)
	if class == nil {
		return nil, nil, nil
	}
	seen := map[string]bool{}
	next, err := s.Owners(ctx, schema.Role, "users", []string{userID})
	for err == nil && len(next) > 0 {
		var fresh, parents []string
		for _, id := range next {
			if !seen[id] {
				seen[id] = true
				fresh = append(fresh, id)
			}
		}
		for chunk := range slices.Chunk(fresh, roleBatch) {
			var found, owners []string
			found, err = existing(ctx, s, sch, class, chunk, func(name string) { names = append(names, "role:"+name) })
			if err == nil && len(found) > 0 {
				owners, err = s.Owners(ctx, schema.Role, "roles", found)
			}
			if err != nil {
				break
			}
			ids, parents = append(ids, found...), append(parents, owners...)
		}
		next = parents
	}
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read the roles of a user: %w", err)
	}
	slices.Sort(names)
	slices.Sort(ids)
	return slices.Compact(names), ids, nil
}

// existing returns which of the roles exist, and calls name with the name of each.
func existing(ctx context.Context, s storage.Snapshot, sch *schema.Schema, class *schema.Class, ids []string, name func(string)) ([]string, error) {
	values := make([]any, len(ids))
	for i, id := range ids {
		values[i] = id
	}
	var found []string
	err := s.Find(ctx, &storage.Find{
		Schema: sch, Class: class, Limit: -1, Columns: []string{"name"},
		Where: &query.In{Path: "objectId", Values: values},
	}, func(r storage.Row) error {
		o, err := r.Object()
		if err != nil {
			return err
		}
		if n, ok := o["name"].(string); ok && n != "" {
			name(n)
			found = append(found, r.ObjectID())
		}
		return nil
	})
	return found, err
}
