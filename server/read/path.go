package read

import (
	"context"
	"time"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/trigger"
)

// Path is the read path. It is safe for concurrent use.
type Path struct {
	store storage.Store
	o     Options
	code  trigger.Code
	rules *auth.Rules
	// privates are the classes in which private objects were met lately.
	privates privates
}

// Result is an answer.
type Result struct {
	// Body is JSON.
	Body []byte
	// Reads is what the body depends on beyond what it and the query tell.
	Reads Reads
	// memory is where Body comes from; nil: it is its own.
	memory *[]byte
}

// New returns the read path over a store.
func New(store storage.Store, o Options) *Path {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Path{store: store, o: o, code: o.Code, rules: auth.NewRules(o.Options)}
}

// reading is one question in one snapshot.
type reading struct {
	*Path
	ctx context.Context
	s   storage.Snapshot
	sch *schema.Schema
	a   *auth.Auth
	d   *Reads
	// alone: nothing else is asked of the snapshot.
	alone bool
	// shared: so far the answer would be the same whoever asked.
	shared bool
	// missing: the object that was asked for isn't there, or is hidden.
	missing bool
}

// Find answers GET /classes/:className: {"results":[…]}, and "count" if q asks for it.
func (p *Path) Find(ctx context.Context, c auth.Caller, q *query.Query) (*Result, error) {
	if asked, err := p.asks(ctx, q.Class, q); asked || err != nil {
		return p.findAsked(ctx, c, q, err)
	}
	res := &Result{memory: bodies.Get().(*[]byte)}
	err := p.in(ctx, c, res, func(r *reading) (err error) {
		res.Body, err = r.find((*res.memory)[:0], q)
		res.Reads.everyone = r.shared && err == nil
		return err
	})
	if err != nil {
		res.Release()
		return nil, err
	}
	return res, nil
}

// Get answers GET /classes/:className/:objectId: the object, or error 101. Of q, only the fields and includes count;
// it may be nil. Together with the error that the object isn't there, or is hidden from the caller, it returns what that depends
// on: a Result without a body; with any other error none.
func (p *Path) Get(ctx context.Context, c auth.Caller, class, id string, q *query.Query) (*Result, error) {
	if asked, err := p.asks(ctx, class, q); asked || err != nil {
		return p.getAsked(ctx, c, class, id, q, err)
	}
	res, missing := &Result{}, false
	err := p.in(ctx, c, res, func(r *reading) (err error) {
		res.Body, err = r.get(class, id, q, r.token(class, id))
		missing = r.missing
		res.Reads.everyone = r.shared && (err == nil || missing)
		return err
	})
	switch {
	case err == nil:
		return res, nil
	case missing:
		return &Result{Reads: res.Reads}, err
	}
	return nil, err
}

// GetIn is Get inside a snapshot or transaction, for a caller who was resolved there. extra, if not nil, appends further
// members to the object, each preceded by a comma.
func (p *Path) GetIn(ctx context.Context, s storage.Snapshot, a *auth.Auth, class, id string, extra func([]byte) []byte, d *Reads) ([]byte, error) {
	sch, err := s.Schema(ctx)
	if err != nil {
		return nil, err
	}
	if d == nil {
		d = &Reads{}
	}
	r := &reading{Path: p, ctx: ctx, s: s, sch: sch, a: a, d: d}
	return r.get(class, id, nil, extra)
}

// in calls f with a snapshot in which the caller is known.
func (p *Path) in(ctx context.Context, c auth.Caller, res *Result, f func(*reading) error) error {
	return p.store.Read(ctx, func(s storage.Snapshot) error {
		res.Reads = Reads{}
		a, err := auth.ResolveAt(ctx, s, c, p.o.Now())
		if err != nil {
			return err
		}
		res.Reads.by(a)
		sch, err := s.Schema(ctx)
		if err != nil {
			return err
		}
		return f(&reading{Path: p, ctx: ctx, s: s, sch: sch, a: a, d: &res.Reads, alone: true, shared: p.o.Shared && !a.Privileged()})
	})
}

// token echoes the caller's session token in the caller's own user object, as SDKs expect.
func (r *reading) token(class, id string) func([]byte) []byte {
	if class != schema.User || r.a.UserID == "" || r.a.UserID != id {
		return nil
	}
	return func(dst []byte) []byte {
		return query.AppendString(append(dst, `,"sessionToken":`...), r.a.SessionToken)
	}
}

// own is the condition that limits sessions to the caller's; nil when the class isn't limited. Without a user there is
// none to ask for: error 209.
func (r *reading) own(class string) (query.Expr, error) {
	if class != schema.Session || r.a.Privileged() {
		return nil, nil
	}
	if r.a.UserID == "" {
		return nil, parseerror.Denied(parseerror.InvalidSessionToken, "Invalid session token")
	}
	return &query.Compare{Path: "user", Op: query.Eq, Value: query.Pointer{ClassName: schema.User, ObjectID: r.a.UserID}}, nil
}

// and joins conditions, of which any may be nil.
func and(terms ...query.Expr) query.Expr {
	var out query.And
	for _, t := range terms {
		if t != nil {
			out = append(out, t)
		}
	}
	switch len(out) {
	case 0:
		return nil
	case 1:
		return out[0]
	}
	return out
}
