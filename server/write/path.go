package write

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/read"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/trigger"
	"github.com/parsescale/parsescale/server/users/password"
)

// Path is the write path. It is safe for concurrent use.
type Path struct {
	store     storage.Store
	reads     *read.Path
	passwords *password.Pool
	providers *identity.Providers
	o         Options
	code      trigger.Code
	rules     *auth.Rules
	denied    denylist
}

// Result is the answer to a write.
type Result struct {
	// Status is the HTTP status: 201 for what was created, else 200.
	Status int
	// Location is the path of a new object below the mount path, as /classes/X/id; else "".
	Location string
	// Body is JSON.
	Body []byte
	// Repeated: the write had been done before, and this is the answer it got then.
	Repeated bool
	// Refusal is an error that the caller gets although the write is kept; nil when there is none. Do turns it into
	// its error.
	Refusal *parseerror.Error

	after []func()
}

// After has f called once the write is committed, unless it is a repeat. f must not block.
func (r *Result) After(f func()) { r.after = append(r.after, f) }

// New returns the write path over a store. reads shows users to themselves when they log in by signing up again.
func New(store storage.Store, reads *read.Path, passwords *password.Pool, o Options) *Path {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.ObjectIDSize <= 0 {
		o.ObjectIDSize = 10
	}
	if o.Providers == nil {
		o.Providers = anonymousAlone()
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Path{
		store: store, reads: reads, passwords: passwords, providers: o.Providers, o: o, code: o.Code,
		rules: auth.NewRules(o.Options), denied: newDenylist(o.RequestKeywordDenylist),
	}
}

// Create makes an object of a class from a body in JSON. id is the write id: a second call with the same one does
// nothing and returns the first one's result; "" means none.
func (p *Path) Create(ctx context.Context, c auth.Caller, class string, body []byte, id string) (*Result, error) {
	if res, err := p.Repeated(ctx, c, class, trigger.Saves|trigger.Of(trigger.BeforeLogin), id); res != nil || err != nil {
		return res, err
	}
	for moves := 0; ; moves++ {
		asked, err := p.askCode(ctx, c, "create", class, "", body)
		if err != nil {
			return nil, err
		}
		res, err := p.create(ctx, c, class, body, id, asked)
		if !errors.Is(err, errAskedOtherwise) || moves == maxMoves {
			return p.afterwards(ctx, asked, trigger.AfterSave, res, err)
		}
	}
}

func (p *Path) create(ctx context.Context, c auth.Caller, class string, body []byte, id string, asked *Asked) (*Result, error) {
	req, err := p.request(ctx, c, class, "", body, asked)
	if err != nil {
		return nil, err
	}
	return p.Decided(ctx, req.claim, func() (*Result, error) {
		return p.Do(ctx, c, id, func(tx storage.Tx, a *auth.Auth) (*Result, error) {
			w, err := p.begin(ctx, tx, a, "create", class, req)
			if err != nil {
				return nil, err
			}
			w.alone = true
			return w.create()
		})
	})
}

// Update changes an object by a body in JSON.
func (p *Path) Update(ctx context.Context, c auth.Caller, class, objectID string, body []byte, id string) (*Result, error) {
	return p.update(ctx, c, class, objectID, body, id, nil)
}

func (p *Path) update(ctx context.Context, c auth.Caller, class, objectID string, body []byte, id string, holds func(storage.Object) error) (*Result, error) {
	if res, err := p.Repeated(ctx, c, class, trigger.Saves, id); res != nil || err != nil {
		return res, err
	}
	asked, err := p.askCode(ctx, c, "update", class, objectID, body)
	if err != nil {
		return nil, err
	}
	res, err := p.updateAsked(ctx, c, class, objectID, body, id, holds, asked)
	return p.afterwards(ctx, asked, trigger.AfterSave, res, err)
}

func (p *Path) updateAsked(ctx context.Context, c auth.Caller, class, objectID string, body []byte, id string, holds func(storage.Object) error, asked *Asked) (*Result, error) {
	for moves := 0; ; moves++ {
		req, err := p.request(ctx, c, class, objectID, body, asked)
		if err != nil {
			return nil, err
		}
		res, err := p.Decided(ctx, req.claim, func() (*Result, error) {
			return p.Do(ctx, c, id, func(tx storage.Tx, a *auth.Auth) (*Result, error) {
				w, err := p.begin(ctx, tx, a, "update", class, req)
				if err != nil {
					return nil, err
				}
				w.id, w.holds, w.alone = objectID, holds, true
				res, err := w.update()
				return res, w.hideMissing(err)
			})
		})
		if !errors.Is(err, errPasswordMoved) || moves == maxMoves {
			return res, err
		}
		if asked != nil {
			asked.ready = nil
		}
	}
}

// Delete removes an object.
func (p *Path) Delete(ctx context.Context, c auth.Caller, class, objectID string, id string) (*Result, error) {
	if res, err := p.Repeated(ctx, c, class, trigger.Deletes, id); res != nil || err != nil {
		return res, err
	}
	asked, err := p.askCode(ctx, c, "delete", class, objectID, nil)
	if err != nil {
		return nil, err
	}
	res, err := p.Do(ctx, c, id, func(tx storage.Tx, a *auth.Auth) (*Result, error) {
		if class == schema.User && !a.Privileged() && a.UserID == "" {
			return nil, insufficient()
		}
		w, err := p.begin(ctx, tx, a, "delete", class, nil)
		if err != nil {
			return nil, err
		}
		w.id, w.alone = objectID, true
		res, err := w.delete()
		return res, w.hideMissing(err)
	})
	if asked != nil {
		asked.shown = asked.ask.Object.Values()
	}
	return p.afterwards(ctx, asked, trigger.AfterDelete, res, err)
}

// Do runs f in one transaction, for a caller who is resolved in it. It is what the doors use for writes that are made of
// several, such as a log-in. f may be called more than once and has no effect but on tx.
func (p *Path) Do(ctx context.Context, c auth.Caller, id string, f func(tx storage.Tx, a *auth.Auth) (*Result, error)) (*Result, error) {
	var after []func()
	stored, repeated, err := p.store.Write(ctx, id, func(tx storage.Tx) ([]byte, error) {
		after = nil
		a, err := auth.ResolveAt(ctx, tx, c, p.o.Now())
		if err != nil {
			return nil, err
		}
		if c.RequestID != "" {
			if err := p.once(ctx, tx, c.RequestID); err != nil {
				return nil, err
			}
		}
		res, err := f(tx, a)
		if err != nil {
			return nil, err
		}
		after = res.after
		return res.appendStored(nil), nil
	})
	if err != nil {
		return nil, err
	}
	if !repeated {
		for _, f := range after {
			storage.AfterCommit(ctx, f)
		}
	}
	return decode(stored, repeated)
}

// Repeated returns the answer that a write with the id got before, nil if there was none. It looks only where the app's
// code, by triggers of the kinds, would be asked about the write first: that must not happen again for one that is done.
// Elsewhere, and for a first attempt, Do finds out.
func (p *Path) Repeated(ctx context.Context, c auth.Caller, class string, kinds trigger.Set, id string) (*Result, error) {
	if id == "" || c.FirstAttempt || p.code == nil || storage.Inside(ctx) {
		return nil, nil
	}
	set, err := p.code.Triggers(ctx, class)
	if err != nil || set&kinds == 0 {
		return nil, err
	}
	stored, found, err := p.store.Written(ctx, id)
	if err != nil || !found {
		return nil, err
	}
	return decode(stored, true)
}

// decode reads a stored result; one that is a refusal is returned as its error.
func decode(stored []byte, repeated bool) (*Result, error) {
	res, err := decodeStored(stored)
	if err != nil {
		return nil, err
	}
	if res.Refusal != nil {
		return nil, res.Refusal
	}
	res.Repeated = repeated
	return res, nil
}

// appendStored appends the form in which a result is kept for a repeat of its write: status, location and body. In
// place of those a refusal has 0, its code and its message.
func (r *Result) appendStored(dst []byte) []byte {
	if r.Refusal != nil {
		dst = strconv.AppendInt(append(dst, "0\n"...), int64(r.Refusal.Code), 10)
		return append(append(dst, '\n'), r.Refusal.Message...)
	}
	dst = strconv.AppendInt(dst, int64(r.Status), 10)
	dst = append(dst, '\n')
	dst = append(dst, r.Location...)
	dst = append(dst, '\n')
	return append(dst, r.Body...)
}

func decodeStored(data []byte) (*Result, error) {
	status, rest, ok := bytes.Cut(data, []byte{'\n'})
	location, body, ok2 := bytes.Cut(rest, []byte{'\n'})
	n, err := strconv.Atoi(string(status))
	if !ok || !ok2 || err != nil {
		return nil, errors.New("cannot read the stored result of a write")
	}
	if n == 0 {
		code, err := strconv.Atoi(string(location))
		return &Result{Refusal: &parseerror.Error{Code: code, Message: string(body)}}, err
	}
	return &Result{Status: n, Location: string(location), Body: body}, nil
}
