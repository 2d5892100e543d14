package write

import (
	"context"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
)

// request is a body, with all that can be told of it outside of the transaction. It isn't changed inside: a transaction
// may be run again.
type request struct {
	body  *query.Object
	edits []edit
	acl   aclEdit
	// err is what is wrong with the body; who may not write at all hears of that first.
	err error
	// password is the password in the body of a user; nil when there is none.
	password *newPassword
	// claim is what the body of a user says of auth providers; nil when there is nothing. Unlike all else here it is
	// decided again when others came first.
	claim *Claim
	// asked is what the app's code says of the write; nil: nobody was asked.
	asked *Asked
}

// request reads the body of a write to an object; its id is "" for a new one.
func (p *Path) request(ctx context.Context, c auth.Caller, class, objectID string, body []byte, asked *Asked) (*request, error) {
	if asked != nil && asked.ready != nil {
		return asked.ready, nil
	}
	if asked != nil && asked.body != nil {
		body = asked.body
	}
	o, err := query.DecodeObject(body)
	if err != nil {
		return nil, parseerror.New(parseerror.InvalidJSON, "invalid JSON")
	}
	r := &request{body: o, asked: asked}
	if class == schema.Installation {
		if r.err = normalInstallation(o); r.err != nil {
			return r, nil
		}
	}
	if r.err = r.parse(p.denied); r.err != nil {
		return r, nil
	}
	if r.password, err = p.newPassword(ctx, c, class, objectID, o); err != nil {
		return nil, err
	}
	if asked != nil && asked.claimed {
		r.claim = asked.claim
	} else {
		r.claim = p.claimBody(ctx, c, class, objectID, o)
	}
	return r, nil
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
