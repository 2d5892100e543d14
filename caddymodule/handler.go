package caddymodule

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/zeebo/xxh3"
	"go.uber.org/zap"

	"github.com/parsescale/parsescale/caddymodule/inspect"
	"github.com/parsescale/parsescale/policies/cache"
	"github.com/parsescale/parsescale/policies/request"
)

// keySeed makes cache keys unpredictable: the hash is not made to withstand clients who know it.
var keySeed = rand.Uint64()

// runtime is what a handler holds once it is provisioned.
type runtime struct {
	logger *zap.Logger
	redis  *sharedRedis      // nil: there is none
	seed   uint64            // of cache keys
	ours   bool              // all workers are bundled
	routes []*route          // one per app that the handler may choose
	byID   map[string]*route // by application id; nil when there is only one route
	// looking is what reads are mirrored to; nil: nothing.
	looking  *looking
	composed *composed // nil: the handler isn't part of one that hands requests on
}

// route is one app as seen from one handler: the app's state and this handler's settings for it.
type route struct {
	*gateway
	limits   *limits // nil: no limit
	caching  bool
	ttl      time.Duration
	maxEntry int64
	sharing  bool          // answers are shared with other gateways by Redis
	stale    time.Duration // for how long past its end an answer may be served if no worker answers
	packing  bool          // bodies are also kept compressed
	check    float64       // the share of hits for which a worker is asked again
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.parse", New: func() caddy.Module { return new(Handler) }}
}

// Provision finds the handler's apps.
func (h *Handler) Provision(ctx caddy.Context) error {
	app, err := h.begin(ctx)
	if err != nil {
		return err
	}
	gateways, err := app.gatewaysFor(h)
	if err != nil {
		return err
	}
	if len(gateways) > 1 {
		h.byID = map[string]*route{}
	}
	h.ours = true
	for _, g := range gateways {
		h.ours = h.ours && g.bundled()
		rt, err := h.route(g)
		if err != nil {
			return fmt.Errorf("parse app %q: %w", g.name, err)
		}
		h.routes = append(h.routes, rt)
		if h.byID != nil {
			h.byID[g.appID] = rt
		}
	}
	if h.looking, err = newLooking(h.Mirror, h.Mount, h.logger); err != nil {
		return err
	}
	app.has(h)
	return nil
}

// begin fills the defaults in and finds the parse app.
func (h *Handler) begin(ctx caddy.Context) (*App, error) {
	h.logger = ctx.Logger()
	if h.Mount == "" {
		h.Mount = defaultMount
	}
	if h.MaxBody == 0 {
		h.MaxBody = defaultMaxBody
	}
	if err := h.checkOwners(); err != nil {
		return nil, err
	}
	app, err := parseApp(ctx)
	if err != nil {
		return nil, err
	}
	app.keepConnections(ctx)
	if c := h.RateLimit; c != nil && app.Redis == nil && (c.Redis != "" && c.Redis != sharedOff || c.OnRedisFailure != "") {
		return nil, errors.New("rate_limit is to share its counts, but the global option parse has no redis")
	}
	h.redis = app.redis
	h.seed = keySeed + xxh3.HashString(h.Mount) // at another mount of the same upstreams may be another app, even of the same id
	return app, nil
}

// parseApp finds the parse app, and tells it of the http app to whose servers the module belongs that is being provisioned.
func parseApp(ctx caddy.Context) (*App, error) {
	v, err := ctx.App("parse")
	if err != nil {
		return nil, fmt.Errorf("cannot load the parse app: %w", err)
	}
	app := v.(*App)
	for _, m := range ctx.Modules() {
		if http, ok := m.(*caddyhttp.App); ok {
			app.http = http
		}
	}
	return app, nil
}

// has takes note of a handler that serves the apps.
func (a *App) has(h *Handler) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.handlers = append(a.handlers, h)
}

// Cleanup ends what belongs to the handler alone.
func (h *Handler) Cleanup() error { return h.looking.stop() }

// Validate checks what doesn't depend on the apps.
func (h *Handler) Validate() error {
	if inspect.Mount(h.Mount) != h.Mount {
		return fmt.Errorf("mount must be a path such as /parse, without a slash at its end, not %q", h.Mount)
	}
	if h.MaxBody < 0 {
		return fmt.Errorf("max_body must not be negative")
	}
	return nil
}

func (h *Handler) route(g *gateway) (*route, error) {
	exact := g.level == cache.Exact
	rt := &route{gateway: g, caching: exact, packing: true, ttl: defaultExactTTL, maxEntry: defaultMaxObject}
	if g.level.MaxTTL() > 0 {
		rt.ttl = defaultRemoteTTL
	}
	if c := h.Cache; c != nil {
		rt.caching, rt.packing = !c.Off, !c.PrecompressOff
		if c.TTL > 0 {
			rt.ttl = time.Duration(c.TTL)
		}
		if c.MaxObject > 0 {
			rt.maxEntry = c.MaxObject
		}
		if rt.stale = time.Duration(c.StaleIfError); rt.stale < 0 {
			return nil, fmt.Errorf("stale_if_error must not be negative")
		}
		if rt.sharing = c.Redis; rt.sharing && g.deployment.consistency == "" {
			return nil, errUnshared
		}
		if rt.check = c.SelfCheck; rt.check < 0 || rt.check > 1 {
			return nil, fmt.Errorf("self_check must be between 0 and 1, not %v", rt.check)
		}
	}
	if most := g.level.MaxTTL(); most > 0 && rt.ttl > most {
		return nil, fmt.Errorf("at the cache level %s an answer may live %s at most, not %s", g.level, most, rt.ttl)
	}
	var err error
	if rt.limits, err = g.limitsOf(h.RateLimit, h.redis); err != nil {
		return nil, err
	}
	return rt, nil
}

// cacheSize is the memory the handler grants its app's cache, in bytes; 0: it says nothing of it.
func (h *Handler) cacheSize() int64 {
	if h.Cache == nil {
		return 0
	}
	return max(h.Cache.MaxSize, 0)
}

// sharesAnswers reports whether the handler wants answers to be shared with other gateways.
func (h *Handler) sharesAnswers() bool { return h.Cache != nil && !h.Cache.Off && h.Cache.Redis }

// staleIfError is for how long the handler wants answers to be kept past their end.
func (h *Handler) staleIfError() time.Duration {
	if h.Cache == nil || h.Cache.Off {
		return 0
	}
	return time.Duration(h.Cache.StaleIfError)
}

// ServeHTTP answers a request below the mount: classify, limit, look up, and only then ask a worker.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	rest, below := inspect.Below(r.URL.EscapedPath(), h.Mount)
	if !below {
		if !inspect.MeansBelow(r.URL.Path, h.Mount) {
			return next.ServeHTTP(w, r)
		}
		x := exchange{handler: h, w: w, r: r}
		x.refuse(notFound, "fwd=bypass; detail=unusual-path")
		return nil
	}
	stripInternal(r.Header)
	stripConnection(r.Header)
	x := exchange{handler: h, w: w, r: r, path: rest, ip: clientIP(r), begun: time.Now(), behindProxy: behindProxy(r)}
	defer x.count(x.begun)
	if !x.readBody() {
		return nil
	}
	x.classify()
	if !isUpgrade(r) {
		if !x.pass() {
			return nil
		}
		defer x.out()
	}
	if x.route = h.choose(&x); x.route == nil {
		x.refuse(refusal{status: http.StatusForbidden, message: "unauthorized"}, "fwd=bypass; detail=unknown-app")
		return nil
	}
	switch {
	case !x.withinLimit():
	case isUpgrade(r):
		x.upgrade()
	case x.cacheable():
		x.serveCached()
	case x.isHead():
		x.serveHead()
	default:
		x.serveDirect()
	}
	return nil
}

// choose returns the route whose app a request is for, or nil.
func (h *Handler) choose(x *exchange) *route {
	if h.byID == nil {
		return h.routes[0]
	}
	if rt := h.byID[inspect.AppID(&x.req, x.path)]; rt != nil {
		return rt
	}
	ids, _ := x.req.Apps()
	for _, id := range ids { // as of workers: who doesn't know the first takes another
		if rt := h.byID[id]; rt != nil && x.req.Op != request.FileRead {
			return rt
		}
	}
	if x.req.Op == request.Health || x.r.Method == http.MethodOptions {
		return h.routes[0]
	}
	return nil
}

// stripInternal removes the headers that only the gateway and its workers may set.
func stripInternal(h http.Header) {
	for name := range h {
		if isInternal(name) {
			delete(h, name)
		}
	}
}

func isInternal(name string) bool {
	const prefix = "X-Parsescale-"
	return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
}

// stripConnection removes the fields that Connection names, before anyone reads them: they aren't passed on, so a worker
// answers as if they weren't there, and its answer must not be stored as if they were. What WebSockets need stays.
func stripConnection(h http.Header) {
	for name := range connectionOptions(h) {
		if !strings.EqualFold(name, "Upgrade") {
			h.Del(name)
		}
	}
}

// connectionOptions are what the Connection fields name.
func connectionOptions(h http.Header) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range h["Connection"] {
			for name := range strings.SplitSeq(line, ",") {
				if !yield(strings.TrimSpace(name)) {
					return
				}
			}
		}
	}
}

var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
