package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/parsescale/parsescale/policies/balance"
	"github.com/parsescale/parsescale/server/heapfloor"
	"github.com/parsescale/parsescale/server/startpages"
	"github.com/parsescale/parsescale/server/storage/sqlite"
)

// App is the Parse gateway's state: the apps it serves, each with its own workers, cache, limits and change feed.
// Nothing is shared between apps. What an app has built up outlives a config reload that leaves its settings alone.
type App struct {
	// Apps are the apps by name.
	Apps map[string]*AppConfig `json:"apps,omitempty"`
	// Redis is what several gateways of the apps have in common. Default: none; then each has its limits by itself, and
	// consistency can't be asked for.
	Redis *RedisConfig `json:"redis,omitempty"`

	*appState
}

// appState is what an App holds once it is provisioned.
type appState struct {
	logger *zap.Logger
	ctx    caddy.Context
	events *caddyevents.App
	http   *caddyhttp.App // whose servers hold the handlers; nil until one is provisioned

	redis    *sharedRedis // one reference into the pool; nil: there is none
	redisKey redisKey

	floor *heapfloor.Floor // of the process, while this config runs

	unnamed atomic.Int32 // handlers that cache what others answer, and have no name

	mu       sync.Mutex
	keeping  map[*caddyhttp.Server]*keptServer // the servers whose connections are kept
	handlers []*Handler                        // that serve the apps
	gateways map[string]*gateway               // by name; each is one reference into the usage pool
	settings map[string]*settings
}

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "parse", New: func() caddy.Module { return new(App) }}
}

// Provision checks the settings. Nothing is opened or started before Start, so that `caddy validate` does neither.
func (a *App) Provision(ctx caddy.Context) error {
	a.appState = &appState{logger: ctx.Logger(), ctx: ctx, gateways: map[string]*gateway{}, settings: map[string]*settings{}, keeping: map[*caddyhttp.Server]*keptServer{}}
	desk.NextTurn()
	events, err := ctx.App("events")
	if err != nil {
		return fmt.Errorf("cannot load the events app: %w", err)
	}
	a.events = events.(*caddyevents.App)
	if _, err := predecessor(); err != nil {
		return err
	}
	if err := a.events.On("started", whenStarted{}); err != nil {
		return fmt.Errorf("cannot wait for the start: %w", err)
	}
	if err := a.events.On("stopping", whenStopping{a}); err != nil {
		return fmt.Errorf("cannot wait for the end: %w", err)
	}
	if registry := ctx.GetMetricsRegistry(); registry != nil {
		if err := registry.Register(metrics{a.appState}); err != nil {
			return fmt.Errorf("cannot register the metrics: %w", err)
		}
	}
	for name, c := range a.Apps {
		if err := c.validate(name); err != nil {
			return err
		}
	}
	return a.connect()
}

// emit tells of an event in the way of Caddy's events app.
func (a *App) emit(name string, data map[string]any) { a.events.Emit(a.ctx, name, data) }

// Start starts the workers of every app that a handler refers to.
func (a *App) Start() error {
	err := a.start()
	if err != nil {
		a.endNow() // its servers may have started, and shall not go on beside those of the configuration in force
	}
	return err
}

func (a *App) start() error {
	if err := a.checkListeners(); err != nil {
		return err
	}
	if err := awaitTurn(); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for name := range a.Apps {
		if a.gateways[name] == nil {
			a.logger.Warn("no parse directive serves this app, so its workers are not started", zap.String("app", name))
		}
	}
	for _, h := range a.handlers { // first, for it is the config's own: if it fails, nothing has to be undone
		if err := h.looking.start(); err != nil {
			return fmt.Errorf("cannot mirror the reads of %s: %w", h.Mount, err)
		}
	}
	for name, g := range a.gateways {
		a.settings[name].defaultServerURL(a.urls(g))
		if err := g.apply(a.settings[name], a.logger.With(zap.String("app", name))); err != nil {
			err = fmt.Errorf("cannot start the parse app %q: %w", name, err)
			before := activeApp.Load()
			if other := before.appOf(g.database); errors.Is(err, sqlite.ErrClaimed) && other != "" {
				err = fmt.Errorf("%w; it is this gateway itself that uses it, for the app %q: another name, app_id, mount or consistency takes a restart", err, other)
			}
			// The config is refused, so the one before stays in force, for the other apps too.
			return errors.Join(err, before.resume())
		}
	}
	if a.redis != nil {
		a.redis.Start()
	}
	for name, g := range a.gateways {
		g.startLimits(a.appState)
		g.applyRumours(a, a.settings[name])
	}
	activeApp.begin(a)
	a.announce()
	a.floor = heapfloor.New()
	startpages.ReleaseSoon(func(err error) { a.logger.Debug("cannot release the memory of the start", zap.Error(err)) })
	return nil
}

// Stop ends nothing by itself: requests may still be running. What the config used is given back in Cleanup. If another app of
// the config couldn't start, the config before stays in force, and its apps get back their settings.
func (a *App) Stop() error {
	return activeApp.end(a).resume()
}

// appOf is the name of the app with bundled workers on a database, "" if there is none.
func (a *App) appOf(database string) string {
	if a == nil {
		return ""
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, g := range a.gateways {
		if g.bundled() && g.database == database {
			return name
		}
	}
	return ""
}

// resume brings the apps back to this config's settings, also where others were applied in part only.
func (a *App) resume() error {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	gateways, settings := maps.Clone(a.gateways), maps.Clone(a.settings)
	a.mu.Unlock()
	var errs []error
	for name, g := range gateways {
		if err := g.apply(settings[name], a.logger.With(zap.String("app", name))); err != nil {
			errs = append(errs, fmt.Errorf("cannot bring the parse app %q back to its earlier settings: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// Cleanup gives back what this config used. An app that no newer config uses drains its workers and ends.
func (a *App) Cleanup() error {
	if a.appState == nil {
		return nil
	}
	first := a.Stop() // Caddy doesn't where a config fails after all its apps have started
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, g := range a.gateways {
		g.dropLimits(a.appState)
		if _, err := gatewayPool.Delete(g.identity); err != nil && first == nil {
			first = err
		}
	}
	a.gateways = nil
	if err := a.disconnect(); first == nil {
		first = err
	}
	return first
}

// gatewaysFor returns the gateways a handler may send requests to: the app it names, the upstreams it lists, the only
// app there is, or all apps, among which the application id decides.
func (a *App) gatewaysFor(h *Handler) ([]*gateway, error) {
	switch {
	case len(h.Upstreams) > 0:
		sorted := append([]string(nil), h.Upstreams...)
		sort.Strings(sorted)
		g, err := a.gateway(strings.Join(sorted, ","), &AppConfig{Upstreams: sorted, Weights: h.Weights, Balance: h.Balance, Feed: h.Feed}, h)
		return []*gateway{g}, err
	case h.App != "":
		c := a.Apps[h.App]
		if c == nil {
			return nil, fmt.Errorf("the parse app %q isn't defined; define it in the global option parse", h.App)
		}
		g, err := a.gateway(h.App, c, h)
		return []*gateway{g}, err
	case len(a.Apps) == 0:
		return nil, fmt.Errorf("parse has no workers: list upstreams after the directive, or define workers in the global option parse")
	}
	names := make([]string, 0, len(a.Apps))
	for name := range a.Apps {
		names = append(names, name)
	}
	sort.Strings(names)
	byID := map[string]string{}
	var all []*gateway
	for _, name := range names {
		g, err := a.gateway(name, a.Apps[name], h)
		if err != nil {
			return nil, err
		}
		if len(names) > 1 {
			if g.appID == "" {
				return nil, fmt.Errorf("several parse apps share the mount %s: give the app %q its app_id, or name one app per mount with the setting app", h.Mount, name)
			}
			if other, twice := byID[g.appID]; twice {
				return nil, fmt.Errorf("the parse apps %q and %q share a mount and have the same app_id", other, name)
			}
			byID[g.appID] = name
		}
		all = append(all, g)
	}
	return all, nil
}

// gateway returns the app's gateway, from an earlier config where its settings are the same.
func (a *App) gateway(name string, c *AppConfig, h *Handler) (*gateway, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if g := a.gateways[name]; g != nil {
		if g.composed {
			return nil, fmt.Errorf("the name %q of a parse_cache or parse_rate_limit is that of upstreams; take another", name)
		}
		if g.bundled() && g.mount != h.Mount {
			return nil, fmt.Errorf("the parse app %q is mounted at %s and at %s; bundled workers serve one mount", name, g.mount, h.Mount)
		}
		if policy, err := balance.ParsePolicy(c.Balance); err != nil || policy != a.settings[name].balance {
			return nil, fmt.Errorf("the upstreams %s are balanced otherwise in another place of the configuration; give them the same", name)
		}
		if _, weights, err := c.upstreamURLs(); err != nil || !maps.Equal(weights, a.settings[name].weights) {
			return nil, fmt.Errorf("the upstreams %s have other weights in another place of the configuration; give them the same", name)
		}
		if given := cmp.Or(c.Feed, &FeedConfig{}); *given != a.settings[name].feedGiven {
			return nil, fmt.Errorf("the upstreams %s have another feed in another place of the configuration; give them the same", name)
		}
		a.settings[name].mount = min(a.settings[name].mount, h.Mount)
		a.settings[name].cacheSize = max(a.settings[name].cacheSize, h.cacheSize())
		a.settings[name].sharing = a.settings[name].sharing || h.sharesAnswers()
		a.settings[name].staleIfError = max(a.settings[name].staleIfError, h.staleIfError())
		if err := a.settings[name].tunes(h.Pool); err != nil {
			return nil, fmt.Errorf("parse app %q: %w", name, err)
		}
		if err := a.settings[name].admits(h.Admission); err != nil {
			return nil, fmt.Errorf("parse app %q: %w", name, err)
		}
		return g, nil
	}
	s, err := newSettings(name, c, h)
	if err != nil {
		return nil, fmt.Errorf("parse app %q: %w", name, err)
	}
	if err := a.share(s); err != nil {
		return nil, fmt.Errorf("parse app %q: %w", name, err)
	}
	return a.keep(s)
}

// keep returns the gateway with the settings, from an earlier config where there is one. mu is held.
func (a *App) keep(s *settings) (*gateway, error) {
	v, _, err := gatewayPool.LoadOrNew(s.identity(), func() (caddy.Destructor, error) { return newGateway(s) })
	if err != nil {
		return nil, fmt.Errorf("cannot set up the parse app %q: %w", s.name, err)
	}
	g := v.(*gateway)
	a.gateways[s.name], a.settings[s.name] = g, s
	return g, nil
}

var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
