package read

import (
	"context"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// ForTrigger returns an object as the app's code sees it that is asked in a caller's name: with the fields that the caller
// may see, whether or not the caller may see the object. It is decoded; nil: there is no such object.
func (p *Path) ForTrigger(ctx context.Context, s storage.Snapshot, a *auth.Auth, class, id string) (map[string]any, error) {
	sch, err := s.Schema(ctx)
	if err != nil {
		return nil, err
	}
	c := sch.Class(class)
	if c == nil {
		return nil, nil
	}
	r := &reading{Path: p, ctx: ctx, s: s, sch: sch, a: a, d: &Reads{}}
	k := &question{name: class, class: c}
	if !p.o.TriggersSeeAll {
		k.protect = p.rules.Protection(c, a)
	}
	show := r.shaper(k, nil)
	var out []byte
	err = s.Find(ctx, &storage.Find{
		Schema: sch, Class: c, Limit: 1, Where: &query.Compare{Path: "objectId", Op: query.Eq, Value: id},
	}, func(row storage.Row) error {
		shape, err := show.of(row)
		if err == nil {
			out = row.AppendJSON(out, shape)
		}
		return err
	})
	if err != nil || out == nil {
		return nil, err
	}
	return decoded(out)
}

// User returns the caller's user as users see themselves, with the session token; nil: nobody is logged in.
func (p *Path) User(ctx context.Context, s storage.Snapshot, a *auth.Auth) (map[string]any, error) {
	if a.UserID == "" {
		return nil, nil
	}
	user, err := p.ForTrigger(ctx, s, a, schema.User, a.UserID)
	if user != nil && a.SessionToken != "" {
		user["sessionToken"] = a.SessionToken
	}
	return user, err
}

// decoded decodes an object in the REST API's form.
func decoded(data []byte) (map[string]any, error) {
	o, err := query.DecodeObject(data)
	if err != nil {
		return nil, err
	}
	return o.Values, nil
}
