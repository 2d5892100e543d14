package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/parsescale/parsescale/policies/autoscale"
)

// AutoscaleConfig says how the number of workers follows the load: that of bundled workers between the two numbers of
// workers, or for upstreams the number that the gateway tells others they should be.
type AutoscaleConfig struct {
	// Min and Max bound the number of upstreams. Bundled workers have theirs in workers.
	Min int `json:"min,omitempty"`
	Max int `json:"max,omitempty"`
	// Target is how many requests a worker is to have under way on average. Default: 10.
	Target int `json:"target,omitempty"`
	// ScaleDownDelay is how long fewer workers must have been enough before there are fewer. Default: 2m.
	ScaleDownDelay caddy.Duration `json:"scale_down_delay,omitempty"`
	// MaxCPU is the share of this machine's processors above which no bundled worker is added, above 0 and at most 1; not for
	// upstreams. Default: 0.85.
	MaxCPU float64 `json:"max_cpu,omitempty"`
	// Webhook is an http or https address that is told of each change by a POST. Default: none. Placeholders are replaced.
	Webhook string `json:"webhook,omitempty"`
	// WebhookKey signs what is posted. Default: it isn't signed. Placeholders are replaced.
	WebhookKey string `json:"webhook_key,omitempty"`
}

// scalingSettings are an AutoscaleConfig with everything resolved.
type scalingSettings struct {
	min, max     int
	target       int
	downDelay    time.Duration
	maxCPU       float64
	webhook, key string
}

// scaling resolves how the app's number of workers follows the load; nil: it doesn't.
func (c *AppConfig) scaling() (*scalingSettings, error) {
	a := cmp.Or(c.Autoscale, &AutoscaleConfig{})
	s := &scalingSettings{min: a.Min, max: a.Max, target: a.Target, downDelay: time.Duration(a.ScaleDownDelay), maxCPU: a.MaxCPU}
	if c.Workers == nil && c.Autoscale != nil {
		if err := a.ofUpstreams(); err != nil {
			return nil, err
		}
	}
	switch {
	case !(a.MaxCPU >= 0 && a.MaxCPU <= 1):
		return nil, fmt.Errorf("max_cpu takes a share above 0 and at most 1, not %v", a.MaxCPU)
	case c.Workers != nil && (a.Min != 0 || a.Max != 0):
		return nil, fmt.Errorf("bundled workers are scaled between the two numbers of workers; autoscale takes none here")
	case c.Workers != nil && c.Workers.Max == 0 && c.Autoscale != nil:
		return nil, fmt.Errorf("autoscale needs two numbers of workers, such as: workers 2 8")
	case c.Workers != nil && c.Workers.Max == 0, c.Workers == nil && c.Autoscale == nil:
		return nil, nil
	case c.Workers != nil:
		s.min, s.max = cmp.Or(c.Workers.Count, min(defaultWorkers, c.Workers.Max)), c.Workers.Max
	}
	if s.max > maxWorkers {
		return nil, fmt.Errorf("the number of workers must be at most %d, not %d", maxWorkers, s.max)
	}
	repl := caddy.NewReplacer()
	for _, f := range []struct {
		name string
		from string
		to   *string
	}{{"webhook", a.Webhook, &s.webhook}, {"the key of webhook", a.WebhookKey, &s.key}} {
		v, err := repl.ReplaceOrErr(f.from, false, true)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", f.name, err)
		}
		*f.to = v
	}
	if u, err := url.Parse(s.webhook); s.webhook != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		return nil, fmt.Errorf("webhook takes an http or https address") // which may hold a secret
	}
	_, err := autoscale.New(s.options(s.min))
	return s, err
}

// ofUpstreams finds what can't be said of upstreams.
func (a *AutoscaleConfig) ofUpstreams() error {
	switch {
	case a.Min == 0 && a.Max == 0:
		return errors.New("autoscale of upstreams needs two numbers, such as: autoscale 2 10")
	case a.MaxCPU != 0:
		return errors.New("max_cpu is for bundled workers, which run on this machine; autoscale of upstreams doesn't take it")
	}
	return nil
}

func (s *scalingSettings) options(begin int) autoscale.Options {
	return autoscale.Options{Min: s.min, Max: s.max, Begin: min(max(begin, s.min), s.max), Target: float64(s.target), DownDelay: s.downDelay, BusyCPU: s.maxCPU}
}

// How often the load is looked at, and how often the number of workers may change.
const (
	lookInterval   = 500 * time.Millisecond
	decideInterval = 2 * time.Second
)

// scaling follows the load of one app.
type scaling struct {
	g        *gateway
	settings scalingSettings
	log      *slog.Logger
	webhook  *webhook // nil: none
	stop     chan struct{}
	running  sync.WaitGroup

	mu  sync.Mutex
	now autoscale.Decision
}

// AutoscaleStatus is how many workers an app should have.
type AutoscaleStatus struct {
	Min int `json:"min"`
	Max int `json:"max"`
	// Desired is how many there should be.
	Desired int `json:"desired"`
	// Load is how many the load asks for, whatever the bounds.
	Load float64 `json:"load"`
	// Panic: the load has risen so fast that there are only more for a while. Held: there would be more if the machine's
	// processors weren't busy, or workers about to start.
	Panic bool `json:"panic,omitempty"`
	Held  bool `json:"held,omitempty"`
}

// applyScaling starts, keeps or ends following the load. It returns the number of bundled workers there should be now.
func (g *gateway) applyScaling(s *settings, log *slog.Logger) int {
	old := g.scaling.Load()
	if s.scaling == nil {
		g.endScaling()
		if s.workers == nil {
			return 0
		}
		return s.workers.Count
	}
	begin := s.scaling.min
	if old != nil {
		if begin = old.status().Desired; old.settings == *s.scaling {
			return begin
		}
		g.endScaling()
	}
	scaler, err := autoscale.New(s.scaling.options(begin))
	if err != nil {
		return begin // it was checked
	}
	n := &scaling{g: g, settings: *s.scaling, log: log, stop: make(chan struct{})}
	n.now.Desired = s.scaling.options(begin).Begin
	if s.scaling.webhook != "" {
		n.webhook = newWebhook(s.scaling.webhook, s.scaling.key, log)
	}
	g.scaling.Store(n)
	n.running.Go(func() { n.run(scaler) })
	return n.now.Desired
}

func (g *gateway) endScaling() {
	if n := g.scaling.Swap(nil); n != nil {
		close(n.stop)
		n.running.Wait()
	}
}

func (n *scaling) run(scaler *autoscale.Scaler) {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	var meter cpuMeter
	decided := time.Now()
	for {
		select {
		case <-n.stop:
			return
		case now := <-ticker.C:
			scaler.Observe(now, n.sample())
			if now.Sub(decided) < decideInterval-lookInterval/2 {
				continue
			}
			decided = now
			m := autoscale.Machine{Ready: n.g.pool.Available(), Local: n.g.bundled()}
			if m.Local {
				m.CPU = meter.share(now)
			} else { // one upstream may be the name of many
				m.Ready = max(m.Ready, n.status().Desired)
			}
			n.decide(scaler.Decide(now, m), m.Ready)
		}
	}
}

// sample reads what the workers are doing.
func (n *scaling) sample() autoscale.Sample {
	x := autoscale.Sample{Answered: n.g.answered.byWorkers()}
	for _, w := range n.g.pool.Status() {
		x.Requests += float64(w.InFlight)
	}
	if l := n.g.admission.Load(); l != nil {
		x.Requests += float64(l.Status().Waiting)
	}
	return x
}

// decide makes a decision come true, and tells of it.
func (n *scaling) decide(d autoscale.Decision, ready int) {
	n.mu.Lock()
	before := n.now.Desired
	n.now = d
	n.mu.Unlock()
	if sup := n.g.supervisor(); sup != nil {
		if err := sup.Scale(d.Desired); err != nil {
			n.log.Warn("cannot change the number of workers", "error", err)
		}
	}
	if d.Desired != before {
		n.log.Info("another number of workers is wanted", "before", before, "desired", d.Desired, "ready", ready, "load", d.Load, "panic", d.Panic)
		n.g.events.add(wantedEvent, map[string]any{
			"app": n.g.name, "before": before, "desired": d.Desired, "ready": ready, "min": n.settings.min, "max": n.settings.max,
		})
	}
	if n.webhook != nil {
		n.webhook.tell(wanted{App: n.g.name, Desired: d.Desired, Ready: ready, Min: n.settings.min, Max: n.settings.max, Load: d.Load, Panic: d.Panic})
	}
}

func (n *scaling) status() AutoscaleStatus {
	n.mu.Lock()
	defer n.mu.Unlock()
	return AutoscaleStatus{Min: n.settings.min, Max: n.settings.max, Desired: n.now.Desired, Load: n.now.Load, Panic: n.now.Panic, Held: n.now.Held}
}
