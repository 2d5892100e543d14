package cloud

import (
	"cmp"
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
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/trigger"
)

// Request is what a function is called with.
type Request struct {
	// FunctionName is the name by which it was called.
	FunctionName string
	// Params are the parameters: values of package query by name, and the files of a form, see Upload.
	Params map[string]any
	// Master: the master key was presented; ReadOnly: it was the read-only one.
	Master, ReadOnly bool
	// User is the user who calls, as the REST API shows users to themselves, session token included; nil: nobody is
	// logged in. Roles are the names of the user's roles, by inheritance too.
	User  map[string]any
	Roles []string
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

// Cloud holds the functions and triggers of one app. It is safe for concurrent use.
type Cloud struct {
	store  storage.Store
	key    string
	client *http.Client
	log    *slog.Logger
	hooks  hookTable

	mu        sync.RWMutex
	functions map[string]defined
	triggers  map[place]definedTrigger
	sets      map[string]trigger.Set // of triggers, by class
}

type defined struct {
	f Function
	v Validator
}

// hookTimeout is how long a webhook may take.
const hookTimeout = 60 * time.Second

// New returns the functions and triggers of the app in the store. webhookKey is sent to webhooks; "" sends none.
func New(store storage.Store, webhookKey string, log *slog.Logger) *Cloud {
	c := &Cloud{store: store, key: webhookKey, log: log, functions: map[string]defined{}, triggers: map[place]definedTrigger{}, sets: map[string]trigger.Set{}, client: &http.Client{
		Timeout: hookTimeout,
		// A webhook answers itself: where it would send us, nobody has allowed.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	c.hooks.store, c.hooks.now, c.hooks.reading = store, time.Now, make(chan struct{}, 1)
	return c
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

// Call runs the function of the request's name. As triggers, functions don't run while a transaction is open.
func (c *Cloud) Call(ctx context.Context, r *Request) (any, error) {
	if storage.Inside(ctx) {
		return nil, parseerror.New(parseerror.CommandUnavailable, "Functions can't run within a transaction.")
	}
	c.mu.RLock()
	d, ok := c.functions[r.FunctionName]
	c.mu.RUnlock()
	if ok {
		if err := d.v.checkCall(r); err != nil {
			return nil, err
		}
		var out any
		err := guard(r.Log, "function", r.FunctionName, 0, func() (err error) {
			out, err = d.f(ctx, r)
			return err
		})
		return out, err
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
	answer, err := c.post(ctx, url, r.body(), r.Log.With("function", r.FunctionName), "function", 0)
	if err != nil {
		return nil, err
	}
	return answer["success"], nil
}

// guard calls an app's code: its panic is its own failure, and its error the client's. code is that of an error without
// one; 0: 141.
func guard(log *slog.Logger, what, name string, code int, f func() error) (err error) {
	code = cmp.Or(code, parseerror.ScriptFailed)
	defer func() {
		if v := recover(); v != nil {
			log.Error("cloud code panicked", what, name, "panic", v, "stack", string(debug.Stack()))
			err = parseerror.New(code, "Script failed.")
		}
	}()
	err = f()
	if e := (*parseerror.Error)(nil); err == nil || errors.As(err, &e) {
		return err
	}
	return parseerror.New(code, "%s", err.Error())
}
