package write

import (
	"context"
	"errors"
	"fmt"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/users/password"
)

// request is a body, with all that can be told of it outside of the transaction. It isn't changed inside: a transaction
// may be run again.
type request struct {
	body  *query.Object
	edits []edit
	acl   aclEdit
	// err is what is wrong with the body; who may not write at all hears of that first.
	err error
	// hash is the hash of the password in the body of a user; "" when there is none.
	hash string
}

// request reads the body of a write.
func (p *Path) request(ctx context.Context, c auth.Caller, class string, body []byte) (*request, error) {
	o, err := query.DecodeObject(body)
	if err != nil {
		return nil, parseerror.New(parseerror.InvalidJSON, "invalid JSON")
	}
	r := &request{body: o}
	if r.err = r.parse(p.denied); r.err != nil {
		return r, nil
	}
	r.hash, err = p.hashPassword(ctx, c, class, o)
	return r, err
}

func (r *request) parse(denied denylist) (err error) {
	if err := denied.check(r.body); err != nil {
		return err
	}
	geo := 0
	for _, name := range r.body.Names {
		if name == "ACL" {
			continue
		}
		e, err := parseEdit(name, r.body.Values[name])
		if err != nil {
			return err
		}
		if e.typ && e.want.Type == schema.GeoPoint {
			geo++
		}
		r.edits = append(r.edits, e)
	}
	if geo > 1 {
		return parseerror.New(parseerror.IncorrectType, "there can only be one geopoint field in a class")
	}
	r.acl, err = parseACL(r.body)
	return err
}

// hashPassword hashes the password of a user to be written, before the transaction: it takes long.
func (p *Path) hashPassword(ctx context.Context, c auth.Caller, class string, b *query.Object) (string, error) {
	plain, ok := b.Values["password"].(string)
	if class != schema.User || !ok || plain == "" || c.ReadOnly {
		return "", nil
	}
	hash, err := p.passwords.Hash(ctx, plain)
	if errors.Is(err, password.ErrBusy) {
		return "", parseerror.Busy()
	}
	if err != nil {
		return "", fmt.Errorf("cannot write a user: %w", err)
	}
	return hash, nil
}
