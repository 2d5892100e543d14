package rest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/classes"
	"github.com/parsescale/parsescale/server/cloud"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/files"
	"github.com/parsescale/parsescale/server/logs"
	"github.com/parsescale/parsescale/server/pages"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/read"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/users"
	"github.com/parsescale/parsescale/server/write"
)

// Reader is the read path.
type Reader interface {
	Find(ctx context.Context, c auth.Caller, q *query.Query) (*read.Result, error)
	Get(ctx context.Context, c auth.Caller, class, objectID string, q *query.Query) (*read.Result, error)
}

// Analyst is what the read path says of many objects at once.
type Analyst interface {
	Aggregate(ctx context.Context, c auth.Caller, q *read.Aggregation) (*read.Result, error)
	// Refine asks the app's code about an aggregation: it returns the parameters that it leaves, or its own answer.
	Refine(ctx context.Context, c auth.Caller, class string, params query.Params) (query.Params, *read.Result, error)
	Distinct(ctx context.Context, c auth.Caller, class string, path query.Path, where query.Expr) (*read.Result, error)
}

// Writer is the write path. id is the write id; "" means none.
type Writer interface {
	Create(ctx context.Context, c auth.Caller, class string, body []byte, id string) (*write.Result, error)
	Update(ctx context.Context, c auth.Caller, class, objectID string, body []byte, id string) (*write.Result, error)
	Delete(ctx context.Context, c auth.Caller, class, objectID string, id string) (*write.Result, error)
	// Ask asks the app's code about a write before it is done, within a transaction; op is create, update or delete.
	Ask(ctx context.Context, c auth.Caller, op, class, objectID string, body []byte) (*write.Asked, error)
}

// Keeper keeps the caller's request id, and refuses one that is kept already.
type Keeper interface {
	Once(ctx context.Context, c auth.Caller) error
}

// ConfigWriter changes the app's parameters.
type ConfigWriter interface {
	PutConfig(ctx context.Context, c auth.Caller, params, masterKeyOnly *query.Object, id string) (*write.Result, error)
}

// Options is what an API is made of.
type Options struct {
	Config *config.Options
	Reader Reader
	Writer Writer
	Users  *users.Users
	// Cloud has the app's functions.
	Cloud *cloud.Cloud
	// Once keeps the ids of requests that must be done once.
	Once Keeper
	// Configs changes the app's parameters.
	Configs ConfigWriter
	// Analytics takes events; nil: nobody does.
	Analytics Analytics
	// Log has the last entries of the log; nil: none are kept.
	Log *logs.Ring
	// Analyst answers aggregations.
	Analyst Analyst
	// Classes changes the schema.
	Classes *classes.Path
	// Store serves what needs no path of its own: sessions of requests without data, schemas.
	Store storage.Store
	// Files keeps uploaded files.
	Files FileStore
	// FileURL appends the URL of a stored file, safe within a JSON string.
	FileURL func(dst []byte, name string) []byte
	// FileURLsLast is how long the URLs that FileURL appends lead to the files. 0: for good.
	FileURLsLast time.Duration
	// Denied refuses metadata and tags of files that hold forbidden keywords.
	Denied func(values map[string]any) error
	// Pages are the pages that links in mail lead to; nil: there are none.
	Pages *pages.Pages
	// Gateway says that requests come from the gateway over a private socket: its X-Parsescale-* fields are believed.
	Gateway bool
	// State is "ok", or what /health says instead: "initialized", "starting", "error".
	State  func() string
	Logger *slog.Logger
}

// API answers the REST API's requests. It is an http.Handler, safe for concurrent use.
type API struct {
	o          Options
	keys       *keys
	cors       cors
	filter     *files.Filter
	router     router
	complexity complexity
	requestIDs requestIDs
	allowed    allowList
	limits     []*rateLimit
	limit      int64 // of a body, in bytes
	mount      string
	// prefixes are the paths that sub-requests of a batch may start with, beside the one the batch came by.
	prefixes []string
	// uploads bounds the uploads in JSON form that are put aside at a time.
	uploads chan struct{}
}

// maxUploadsAside is how many uploads in JSON form, each up to maxUploadSize, are put aside at a time: on the disk, because
// the content comes before the credentials.
const maxUploadsAside = 64

// New makes the API. The options must have been checked.
func New(o Options) (*API, error) {
	k, err := newKeys(o.Config)
	if err != nil {
		return nil, err
	}
	filter, err := files.NewFilter(o.Config.FileUpload.FileExtensions)
	if err != nil {
		return nil, err
	}
	a := &API{
		o: o, keys: k, cors: newCORS(o.Config.AllowOrigin, o.Config.AllowHeaders), filter: filter,
		complexity: complexity(o.Config.RequestComplexity), limit: int64(o.Config.MaxUploadSize), mount: strings.TrimRight(o.Config.MountPath, "/"),
		uploads: make(chan struct{}, maxUploadsAside),
	}
	for _, s := range []string{o.Config.ServerURL, o.Config.PublicServerURL} {
		if u, err := url.Parse(s); err == nil && s != "" {
			a.prefixes = append(a.prefixes, strings.TrimRight(u.EscapedPath(), "/"))
		}
	}
	if a.requestIDs, err = newRequestIDs(o.Config.IdempotencyOptions); err != nil {
		return nil, err
	}
	if a.allowed, err = newAllowList(o.Config); err != nil {
		return nil, err
	}
	if err := a.openRateLimits(); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	a.routes()
	return a, nil
}

// call is one request, or one sub-request of a batch, on its way to a handler.
type call struct {
	ctx    context.Context
	http   *http.Request // nil in a batch
	method string
	path   string // below the mount, escaped
	params params
	query  []field
	body   *body
	caller auth.Caller
	// writeID makes repeating a write harmless; "" when the request has none.
	writeID string
	batch   bool
	context []byte // a JSON object for cloud code; nil: none
	origin  auth.Origin
}

var writeIDs = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t := &tracked{ResponseWriter: w}
	defer func() {
		if v := recover(); v != nil {
			if v == http.ErrAbortHandler { //nolint:errorlint // panics carry it as it is
				panic(v)
			}
			a.o.Logger.Error("a handler panicked", "method", r.Method, "path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
			if t.wrote {
				panic(http.ErrAbortHandler)
			}
			a.failure(errInternal).write(t, r)
		}
	}()
	a.cors.write(t.Header(), r.Header.Get("Origin"))
	if r.Method == http.MethodOptions {
		(&answer{contentType: typeText, body: []byte("OK")}).write(t, r)
		return
	}
	var from netip.Addr
	writeID := ""
	if a.o.Gateway {
		from, writeID = a.gatewayFields(r.Header)
	} else {
		from = clientAddress(r, &a.o.Config.TrustProxy)
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Parsescale-") {
			delete(r.Header, name)
		}
	}
	path, ok := a.belowMount(r.URL.EscapedPath())
	if !ok {
		notFound(r.Method, r.URL.EscapedPath()).write(t, r)
		return
	}
	if first := strings.SplitN(path, "/", 3)[1]; equalFold(first, "health") {
		a.health().write(t, r)
		return
	} else if equalFold(first, "files") {
		a.serveFiles(t, r, path, from)
		return
	} else if a.o.Pages != nil && a.o.Pages.Has(pageMethod(r), path) {
		a.servePage(t, r, path)
		return
	}
	res, err := a.serve(t, r, path, from, writeID)
	if err != nil {
		res = a.failure(err)
	}
	if res.location != "" {
		t.Header().Set("Location", a.base(r)+res.location)
	}
	if a.o.Gateway && res.reads != nil {
		if a.o.FileURLsLast > 0 {
			// Who gets the answer from a cache must have some time left to follow its URLs.
			res.reads.Expires(time.Now().Add(a.o.FileURLsLast / 2))
		}
		t.Header().Set("X-Parsescale-Reads", res.reads.String()) // also when it is empty: then that is known
	}
	res.write(t, r)
}

// gatewayFields reads what only the gateway may say.
func (a *API) gatewayFields(h http.Header) (from netip.Addr, writeID string) {
	if ip, err := netip.ParseAddr(h.Get("X-Parsescale-Client-Ip")); err == nil {
		from = ip.Unmap().WithZone("")
	}
	if id := h.Get("X-Parsescale-Write-Id"); writeIDs.MatchString(id) {
		writeID = id
	}
	return from, writeID
}

// belowMount returns the path below the mount, starting with a slash. Of two leading slashes one is dropped.
func (a *API) belowMount(path string) (string, bool) {
	if len(path) < len(a.mount) || !equalFold(path[:len(a.mount)], a.mount) {
		return "", false
	}
	path = path[len(a.mount):]
	if path == "" {
		path = "/"
	}
	if strings.HasPrefix(path, "//") {
		path = path[1:]
	}
	return path, path[0] == '/'
}

// serve takes a request through parse-server's steps up to its handler.
func (a *API) serve(w http.ResponseWriter, r *http.Request, path string, from netip.Addr, writeID string) (*answer, error) {
	b, err := readBody(w, r, a.limit)
	if err != nil {
		return nil, err
	}
	method := r.Method
	if method == http.MethodPost && truthy(b.get("_method")) {
		if m, ok := b.text("_method"); ok {
			method = strings.ToUpper(m)
		}
		b.remove("_method")
	}
	p, err := a.keys.fromHeaders(r.Header)
	if err != nil {
		return nil, err
	}
	if err := a.keys.fromBody(b, &p); err != nil {
		return nil, err
	}
	if state := a.o.State(); state != "ok" {
		return nil, parseerror.New(parseerror.Internal, "Invalid server state: %s", state)
	}
	caller, err := a.keys.caller(&p, from, isLogIn(path))
	if err != nil {
		return nil, err
	}
	c := &call{
		ctx: r.Context(), http: r, method: method, path: path, query: parseQueryString(r.URL.RawQuery), body: b,
		caller: caller, writeID: writeID, context: p.context,
	}
	c.tellOrigin()
	if err := a.limitRequest(w.Header(), c); err != nil {
		return nil, err
	}
	if err := a.checkRequest(caller, method, r.URL); err != nil {
		return nil, err
	}
	rt, params, err := a.router.match(method, path)
	if err != nil {
		return nil, err
	}
	if rt == nil {
		// parse-server looks at the session before it looks for a route.
		if _, err := a.resolve(c); err != nil {
			return nil, err
		}
		return notFound(method, r.URL.EscapedPath()), nil
	}
	c.params = params
	res, err := a.run(rt, c)
	if e := parseerror.From(err); !caller.Privileged() && (e == nil || e.Code != parseerror.InvalidSessionToken) {
		a.o.Users.Used(caller.SessionToken)
	}
	return res, err
}

func isLogIn(path string) bool { return equalFold(strings.TrimSuffix(path, "/"), "/login") }

// run calls a route's handler.
func (a *API) run(rt *route, c *call) (*answer, error) {
	if rt.master && !c.caller.Master {
		if _, err := a.resolve(c); err != nil {
			return nil, err
		}
		return nil, parseerror.Forbidden("unauthorized: master key is required")
	}
	return rt.serve(a, c)
}

// resolve looks the caller's session up.
func (a *API) resolve(c *call) (*auth.Auth, error) {
	var who *auth.Auth
	if c.caller.SessionToken == "" || c.caller.Master || c.caller.Maintenance {
		return &auth.Auth{Caller: c.caller}, nil
	}
	err := a.o.Store.Read(c.ctx, func(s storage.Snapshot) (err error) {
		who, err = auth.Resolve(c.ctx, s, c.caller)
		return err
	})
	return who, err
}

// base is the API's address as the client knows it: configured, or as the request names it.
func (a *API) base(r *http.Request) string {
	if o := a.o.Config; o.PublicServerURL != "" || o.ServerURL != "" {
		return o.URL()
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + a.mount
}
