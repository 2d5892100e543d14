package rest

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/read"
	"github.com/parsescale/parsescale/server/storage"
)

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

// isWriteID reports whether a text is what gateways make for ids of writes: 1 to 64 letters, digits, _ and -.
func isWriteID(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return s != "" && len(s) <= 64
}

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
	var write writeID
	var within time.Duration
	if a.o.Gateway {
		from, write = a.gatewayFields(r.Header)
		within = gatewayDeadline(r.Header)
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
	if within > 0 {
		ctx, cancel := context.WithTimeout(r.Context(), within)
		defer cancel()
		r = r.WithContext(ctx)
	}
	res, err := a.serve(t, r, path, from, write)
	if err != nil {
		if within > 0 && errors.Is(r.Context().Err(), context.DeadlineExceeded) && parseerror.From(err).Internal() {
			err = context.DeadlineExceeded // whatever the database calls it
		}
		var reads *read.Reads
		if res != nil {
			reads = res.reads
		}
		res = a.failure(err)
		res.reads = reads
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
		if rights := res.reads.Rights(); rights != "" {
			t.Header().Set("X-Parsescale-Rights", rights)
		}
	}
	res.write(t, r)
}

// gatewayFields reads what only the gateway may say.
func (a *API) gatewayFields(h http.Header) (from netip.Addr, write writeID) {
	if ip, err := netip.ParseAddr(h.Get("X-Parsescale-Client-Ip")); err == nil {
		from = ip.Unmap().WithZone("")
	}
	if id := h.Get("X-Parsescale-Write-Id"); isWriteID(id) {
		write = writeID{id: id, first: h.Get("X-Parsescale-First-Attempt") == "1"}
	}
	return from, write
}

// gatewayDeadline is for how long the answer is of use to the gateway; 0: for ever. It says so of reads and functions, not of
// writes, which must not end half way.
func gatewayDeadline(h http.Header) time.Duration {
	ms, err := strconv.ParseUint(h.Get("X-Parsescale-Deadline-Ms"), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

// writeID is the id that the gateway gives to a write. first: it says that it has sent it nowhere before.
type writeID struct {
	id    string
	first bool
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
func (a *API) serve(w http.ResponseWriter, r *http.Request, path string, from netip.Addr, write writeID) (*answer, error) {
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
	caller.FirstAttempt = write.first
	c := &call{
		ctx: r.Context(), http: r, method: method, path: path, query: parseQueryString(r.URL.RawQuery), body: b,
		caller: caller, writeID: write.id, context: p.context,
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
