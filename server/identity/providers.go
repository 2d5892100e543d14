package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/parsescale/parsescale/server/parseerror"
)

// Options are the options of Providers.
type Options struct {
	// Adapters are the providers by name: a letter, then letters, digits and underscores. Default: none.
	Adapters map[string]Adapter
	// Reserved are adapters that only say how data of providers is shown which aren't in Adapters (any more), and that
	// those of policy Additional keep their users from logging in. Default: none.
	Reserved map[string]Adapter
	// Timeout bounds each question to an adapter. Default: 10 s.
	Timeout time.Duration
	// MaxCalls bounds the questions that are asked at a time; more wait, no longer than Timeout. Default: 64.
	MaxCalls int
	// Logger gets the failures of adapters. Default: slog.Default.
	Logger *slog.Logger
}

// Providers are the auth providers of an app. It is safe for concurrent use.
type Providers struct {
	o     Options
	calls chan struct{}
}

// validName is parse-server's rule for names of providers: they become names of indexes and paths of queries.
var validName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,49}$`)

// ValidName reports whether a provider may be called so.
func ValidName(name string) bool { return validName.MatchString(name) }

// New returns the providers that the options name.
func New(o Options) (*Providers, error) {
	for name, a := range o.Adapters {
		if !ValidName(name) {
			return nil, fmt.Errorf("cannot use the auth provider %q: a name is a letter and then letters, digits and underscores", name)
		}
		if f, ok := a.(Functions); ok && !f.complete() {
			return nil, fmt.Errorf("cannot use the auth provider %q: it needs ValidateAuthData, or all of ValidateSetUp, ValidateLogin and ValidateUpdate", name)
		}
		if a == nil {
			return nil, fmt.Errorf("cannot use the auth provider %q: it has no adapter", name)
		}
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.MaxCalls <= 0 {
		o.MaxCalls = 64
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Adapters = maps.Clone(o.Adapters)
	return &Providers{o: o, calls: make(chan struct{}, o.MaxCalls)}, nil
}

// Unsupported is the error of a provider that there isn't.
func Unsupported() error {
	return parseerror.New(parseerror.UnsupportedService, "This authentication method is unsupported.")
}

// Has reports whether there is a provider of that name.
func (p *Providers) Has(name string) bool { return p.o.Adapters[name] != nil }

// adapter returns the adapter of a name, also a reserved one; nil for none.
func (p *Providers) adapter(name string) Adapter {
	if a := p.o.Adapters[name]; a != nil {
		return a
	}
	return p.o.Reserved[name]
}

// Identify returns a provider's authData with the id that users are looked up by.
func (p *Providers) Identify(ctx context.Context, name string, authData map[string]any) (map[string]any, error) {
	i, ok := p.o.Adapters[name].(Identifier)
	if !ok {
		return authData, nil
	}
	var out map[string]any
	err := p.call(ctx, name, func(ctx context.Context) (err error) {
		out, err = i.Identify(ctx, maps.Clone(authData))
		return err
	})
	return out, err
}

// Validate asks a provider whether authData is right.
func (p *Providers) Validate(ctx context.Context, r *Request) (out Outcome, err error) {
	a := p.o.Adapters[r.Provider]
	if a == nil {
		return out, Unsupported()
	}
	err = p.call(ctx, r.Provider, func(ctx context.Context) (err error) {
		out, err = a.Validate(ctx, r)
		return err
	})
	if out.Then != nil {
		out.Then = p.answer(ctx, r.Provider, out.Then)
	}
	return out, err
}

// Challenge asks a provider for a challenge. ok is false if there is no such provider, or none that challenges.
func (p *Providers) Challenge(ctx context.Context, data any, r *Request) (out any, ok bool, err error) {
	a := p.o.Adapters[r.Provider]
	c, ok := a.(Challenger)
	if f, is := a.(Functions); is && f.Challenged == nil {
		ok = false
	}
	if !ok {
		return nil, false, nil
	}
	err = p.call(ctx, r.Provider, func(ctx context.Context) (err error) {
		out, err = c.Challenge(ctx, data, r)
		return err
	})
	return out, true, err
}

// call asks an adapter, no more than a bounded number at a time and no longer than the bound.
func (p *Providers) call(ctx context.Context, name string, f func(context.Context) error) error {
	inner, cancel := context.WithTimeout(ctx, p.o.Timeout)
	defer cancel()
	select {
	case p.calls <- struct{}{}:
		defer func() { <-p.calls }()
	case <-inner.Done():
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return parseerror.Busy()
	}
	err := f(inner)
	if err == nil {
		return nil
	}
	return p.answer(ctx, name, err)
}

// answer turns an adapter's error into the client's.
func (p *Providers) answer(ctx context.Context, name string, err error) error {
	if text, ok := refused(err); ok {
		return parseerror.New(parseerror.ScriptFailed, "%s", text)
	}
	var f *Failure
	if errors.As(err, &f) {
		p.o.Logger.WarnContext(ctx, "an auth provider can't be asked", "provider", name, "error", f.Cause)
		return f.Answer
	}
	if e := parseerror.From(err); !e.Internal() && e.Code != parseerror.Timeout {
		return err
	}
	p.o.Logger.WarnContext(ctx, "an auth provider failed", "provider", name, "error", err)
	return parseerror.New(parseerror.ScriptFailed, "Auth failed. Unknown error.")
}

// CheckLogIn checks that a log-in with these providers is enough for a user with that authData stored: a user who has
// Additional providers sends one of them, or a Solo one. r says who asks.
func (p *Providers) CheckLogIn(sent, stored map[string]any, r Request) error {
	var missing []string
	given := false
	for _, name := range byLength(stored) {
		data, _ := stored[name].(map[string]any)
		a, ok := p.adapter(name).(Policied)
		if !ok {
			continue
		}
		r.Provider, r.Stored = name, data
		switch policy := a.Policy(&r); {
		case policy == Solo && sent[name] != nil:
			return nil
		case policy != Additional:
		case sent[name] != nil:
			given = true
		default:
			missing = append(missing, name)
		}
	}
	if given || len(missing) == 0 {
		return nil
	}
	text := missing[0]
	for _, name := range missing[1:] {
		text += "," + name
	}
	return parseerror.New(parseerror.OtherCause, "Missing additional authData %s", text)
}

// byLength returns the names in the order in which PostgreSQL keeps the members of an object.
func byLength(m map[string]any) []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		if a < b {
			return -1
		}
		return 1
	})
}

// Show returns a user's authData as the viewer sees it, and whether that is anything else than what is stored.
func (p *Providers) Show(stored map[string]any, v Viewer) (shown map[string]any, changed bool) {
	shown = stored
	change := func() map[string]any {
		if !changed {
			shown, changed = maps.Clone(stored), true
		}
		return shown
	}
	for name, data := range stored {
		if data == nil { // parse-server leaves such behind
			delete(change(), name)
			continue
		}
		a, ok := p.adapter(name).(AfterFinder)
		m, isObject := data.(map[string]any)
		if f, is := p.adapter(name).(Functions); is && f.Shown == nil {
			ok = false
		}
		if ok && isObject {
			change()[name] = a.AfterFind(m, v)
		}
	}
	return shown, changed
}

// Names returns the names of the providers, sorted.
func (p *Providers) Names() []string { return slices.Sorted(maps.Keys(p.o.Adapters)) }
