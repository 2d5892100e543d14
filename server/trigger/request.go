package trigger

import (
	"context"
	"log/slog"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/query"
)

// Code is an app's code as the paths see it.
type Code interface {
	// Triggers returns the kinds of triggers that a class has.
	Triggers(ctx context.Context, class string) (Set, error)
	// Finding reports whether any class has triggers of finds.
	Finding(ctx context.Context) (bool, error)
	// Run runs the trigger of the request's kind and class, if there is one. Its error is the client's.
	Run(ctx context.Context, r *Request) error
}

// Request is what a trigger is called with. What it may change of it depends on the kind.
type Request struct {
	Kind Kind
	// Class is the class that the trigger is of.
	Class string
	// Object is what is saved, deleted, or logs in or out. BeforeSave changes what is stored by changing it, AfterSave what
	// the client reads of it. Nil for finds.
	Object *Object
	// Original is the object as it was before the save; nil for a new one and for what isn't a save.
	Original *Object
	// Result, if AfterSave sets it to a map or a slice, is what the client reads in place of the object.
	Result any
	// Query is what a find asks for; BeforeFind may change it.
	Query *Query
	// Count: the find counts too. IsGet: it asks for one object by its id.
	Count, IsGet bool
	// Objects is what a find has found; AfterFind may change it. BeforeFind may set it, to a slice that isn't nil: then
	// that is what is found, after a check that the caller may see those objects that are stored.
	Objects []*Object

	// File is what the triggers of files are about; nil for all others.
	File *File
	// ErrorCode is the code of errors that have none of their own; 0: 141.
	ErrorCode int

	// Master: the master key was presented; ReadOnly: it was the read-only one.
	Master, ReadOnly bool
	// User is the user who asks, as the REST API shows users to themselves, session token included; nil: nobody is
	// logged in.
	User map[string]any
	// Roles are the names of the user's roles, by inheritance too.
	Roles []string
	// InstallationID and IP are the caller's.
	InstallationID, IP string
	// Headers are the request's header fields, in lower case.
	Headers map[string]string
	// Context is what the client sent as context. What a before-trigger adds to it, the after-trigger reads.
	Context map[string]any
	// Log is for what the trigger wants to say.
	Log *slog.Logger
}

// By returns a request in the name of a caller. user is the caller's user, nil if there is none.
func By(k Kind, class string, a *auth.Auth, user map[string]any) *Request {
	r := &Request{Kind: k, Class: class, Master: a.Master, ReadOnly: a.ReadOnly, User: user, InstallationID: a.InstallationID, IP: a.IP}
	if r.InstallationID == "" && a.Master {
		r.InstallationID = "cloud"
	}
	for _, role := range a.Roles {
		r.Roles = append(r.Roles, role[len("role:"):])
	}
	r.Context, r.Headers = map[string]any{}, map[string]string{}
	if o := a.Origin; o != nil {
		if o.Headers != nil {
			r.Headers = o.Headers()
		}
		if v, err := query.Decode(o.Context); err == nil {
			if m, ok := v.(map[string]any); ok {
				r.Context = m
			}
		}
	}
	return r
}

// Then returns the request of another kind with the same caller and context.
func (r *Request) Then(k Kind) *Request {
	next := *r
	next.Kind, next.Object, next.Original, next.Result, next.Query, next.Objects = k, nil, nil, nil, nil, nil
	return &next
}

// For returns a request about another class with the same caller and context.
func (r *Request) For(k Kind, class string) *Request {
	next := r.Then(k)
	next.Class, next.Count, next.IsGet = class, false, false
	return next
}
