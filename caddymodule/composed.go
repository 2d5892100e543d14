package caddymodule

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/parsescale/parsescale/caddymodule/inspect"
	"github.com/parsescale/parsescale/policies/cache"
)

// defaultName is the name under which handlers that hand requests on keep what they have counted and stored.
const defaultName = "routes"

// composed is what a handler holds that is part of one that hands requests on.
type composed struct {
	own uint64 // no other handler's
	// unnamed counts the handlers of the config that cache and have no name; nil: this one has a name, or doesn't cache.
	unnamed *atomic.Int32
}

// compose provisions the handler as a part of one that hands requests on: it limits and caches, and whatever comes after it
// answers. There are no workers; what is counted and stored is kept under the name, for all handlers that have the same.
func (h *Handler) compose(ctx caddy.Context, name string) error {
	app, err := h.begin(ctx)
	if err != nil {
		return err
	}
	h.composed = &composed{own: rand.Uint64()}
	if name == "" {
		name = defaultName
		if h.Cache != nil {
			h.composed.unnamed = &app.unnamed
			app.unnamed.Add(1)
		}
	}
	g, err := app.composed(name, h)
	if err != nil {
		return err
	}
	rt, err := h.route(g)
	if err != nil {
		return err
	}
	h.routes = []*route{rt}
	app.has(h)
	return nil
}

// composed returns the gateway of handlers that hand requests on.
func (a *App) composed(name string, h *Handler) (*gateway, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.Apps[name] != nil {
		return nil, fmt.Errorf("the name %q is that of an app in the global option parse; take another", name)
	}
	if g := a.gateways[name]; g != nil {
		if !g.composed {
			return nil, fmt.Errorf("the name %q of a parse_cache or parse_rate_limit is that of upstreams; take another", name)
		}
		s := a.settings[name]
		s.mount = min(s.mount, h.Mount)
		s.staleIfError = max(s.staleIfError, h.staleIfError())
		if h.Cache != nil {
			s.cacheSize = max(s.cacheSize, h.cacheSize())
		}
		return g, nil
	}
	s := &settings{name: name, mount: h.Mount, level: cache.TTL, composed: true, staleIfError: h.staleIfError()}
	if h.Cache != nil {
		s.cacheSize = h.cacheSize()
	}
	return a.keep(s)
}

// serveComposed answers a request below the mount from the cache, refuses it, or lets the next handler answer.
func (h *Handler) serveComposed(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	rest, below := inspect.Below(r.URL.EscapedPath(), h.Mount)
	x := exchange{handler: h, route: h.routes[0], w: w, r: r, path: rest, ip: clientIP(r), begun: time.Now(), behindProxy: behindProxy(r), next: next}
	if !below {
		if !inspect.MeansBelow(r.URL.Path, h.Mount) {
			return next.ServeHTTP(w, r)
		}
		x.refuse(notFound, "fwd=bypass; detail=unusual-path")
		return nil
	}
	stripInternal(r.Header)
	stripConnection(r.Header)
	defer x.count(time.Now())
	var err error
	if x.req, err = inspect.Classify(r, rest, inspect.Options{Mount: h.Mount, MaxBatch: h.MaxBody, Seed: h.seedFor(r)}); err != nil {
		x.refuse(tooLarge, "fwd=bypass; detail=body-too-large")
		return nil
	}
	if !isUpgrade(r) && r.Method != http.MethodConnect && !isInside(r) {
		x.streamed = true // the body is still there
		if !x.pass() {
			return nil
		}
		defer x.out()
		r = markInside(r)
		x.r = r
	}
	x.heedCookie()
	switch {
	case !x.withinLimit():
	case isUpgrade(r) || r.Method == http.MethodConnect:
		return next.ServeHTTP(w, r)
	case x.cacheable():
		x.serveCached()
	case x.isHead():
		x.serveHead()
	default:
		x.serveDirect()
	}
	return x.failed
}

// heedCookie keeps what a cookie may have a part in out of the cache: it means nothing to Parse, but it may to the next handler.
func (x *exchange) heedCookie() {
	if x.r.Header["Cookie"] != nil {
		x.req.NoStore = true
	}
}
