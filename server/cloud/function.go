package cloud

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/storage"
)

// Request is what a function is called with.
type Request struct {
	// FunctionName is the name by which it was called.
	FunctionName string
	// Params are the parameters: values of package query by name.
	Params map[string]any
	// Master: the master key was presented; ReadOnly: it was the read-only one.
	Master, ReadOnly bool
	// User is the user who calls, as the REST API shows users to themselves, session token included; nil: nobody is
	// logged in.
	User map[string]any
	// InstallationID and IP are the caller's.
	InstallationID, IP string
	// Headers are the request's header fields, in lower case.
	Headers map[string]string
	// Context is what the client sent as context; never nil.
	Context map[string]any
	// Log is for what the function wants to say.
	Log *slog.Logger
}

// Function is a cloud function in Go. What it returns is a value of package query, or made of maps, slices, strings,
// float64s, bools and nil. A *parseerror.Error reaches the client as it is, any other error as code 141 with its text.
type Function func(ctx context.Context, r *Request) (any, error)

// Validator is checked before a function runs. The zero value lets everybody in.
type Validator struct {
	// RequireUser lets only users in who are logged in; RequireMaster only the master key.
	RequireUser, RequireMaster bool
	// SkipWithMasterKey lets the master key in unchecked.
	SkipWithMasterKey bool
	// Fields are conditions on parameters.
	Fields map[string]Field
}

// Field is a condition on a parameter.
type Field struct {
	// Required parameters must be there; Default is what a missing one is, nil for none.
	Required bool
	Default  any
	// Type is the kind of value: string, number, boolean, array or object; "" for any.
	Type string
}

// Cloud holds the functions of one app. It is safe for concurrent use.
type Cloud struct {
	store  storage.Store
	key    string
	client *http.Client

	mu        sync.RWMutex
	functions map[string]defined
}

type defined struct {
	f Function
	v Validator
}

// hookTimeout is how long a webhook may take.
const hookTimeout = 60 * time.Second

// New returns the functions of the app in the store. webhookKey is sent to webhooks; "" sends none.
func New(store storage.Store, webhookKey string) *Cloud {
	return &Cloud{store: store, key: webhookKey, functions: map[string]defined{}, client: &http.Client{
		Timeout: hookTimeout,
		// A webhook answers itself: where it would send us, nobody has allowed.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Define makes a Go function callable. It takes the place of a webhook of the same name, and of an earlier definition.
func (c *Cloud) Define(name string, f Function, v Validator) error {
	if !validName(name) || f == nil {
		return fmt.Errorf("cannot define the cloud function %q: it needs a name without quotes, and a function", name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.functions[name] = defined{f, v}
	return nil
}

func validName(name string) bool {
	return name != "" && !strings.ContainsAny(name, "'\"`") && len(name) <= 256
}

// Call runs the function of the request's name.
func (c *Cloud) Call(ctx context.Context, r *Request) (any, error) {
	c.mu.RLock()
	d, ok := c.functions[r.FunctionName]
	c.mu.RUnlock()
	if ok {
		if err := d.v.check(r); err != nil {
			return nil, err
		}
		return run(ctx, d.f, r)
	}
	var url string
	if validName(r.FunctionName) {
		h, err := c.Function(ctx, r.FunctionName)
		if err != nil && !errors.Is(err, errNoHook) {
			return nil, err
		}
		url = h.URL
	}
	if url == "" {
		return nil, parseerror.New(parseerror.ScriptFailed, "Invalid function: %q", r.FunctionName)
	}
	return c.post(ctx, url, r)
}

// run calls a function; its panic is its own failure.
func run(ctx context.Context, f Function, r *Request) (out any, err error) {
	defer func() {
		if v := recover(); v != nil {
			r.Log.Error("a cloud function panicked", "function", r.FunctionName, "panic", v, "stack", string(debug.Stack()))
			err = parseerror.New(parseerror.ScriptFailed, "Script failed.")
		}
	}()
	out, err = f(ctx, r)
	if e := (*parseerror.Error)(nil); err == nil || errors.As(err, &e) {
		return out, err
	}
	return nil, parseerror.New(parseerror.ScriptFailed, "%s", err.Error())
}

func refuse(format string, args ...any) error {
	return parseerror.New(parseerror.Validation, "Validation failed. "+format, args...)
}

// check applies the validator, with parse-server's messages.
func (v *Validator) check(r *Request) error {
	if v.SkipWithMasterKey && r.Master {
		return nil
	}
	switch {
	case v.RequireUser && r.User == nil:
		return refuse("Please login to continue.")
	case v.RequireMaster && !r.Master:
		return refuse("Master key is required to complete this request.")
	}
	for name, f := range v.Fields {
		value, there := r.Params[name]
		if (!there || value == nil) && f.Default != nil {
			r.Params[name], value, there = f.Default, f.Default, true
		}
		switch {
		case !there && f.Required:
			return refuse("Please specify data for %s.", name)
		case there && f.Type != "" && kindOf(value) != f.Type:
			return refuse("Invalid type for %s. Expected: %s", name, f.Type)
		}
	}
	return nil
}

func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case float64:
		return "number"
	case bool:
		return "boolean"
	case []any:
		return "array"
	case nil:
		return "null"
	case query.Date:
		return "date"
	}
	return "object"
}
