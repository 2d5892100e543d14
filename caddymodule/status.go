package caddymodule

import (
	"github.com/parsescale/parsescale/caddymodule/supervisor"
	"github.com/parsescale/parsescale/policies/admission"
	"github.com/parsescale/parsescale/policies/cache"
	"github.com/parsescale/parsescale/policies/cache/redisstore"
	"github.com/parsescale/parsescale/policies/feed"
	"github.com/parsescale/parsescale/policies/feed/decoding"
	"github.com/parsescale/parsescale/policies/feed/livequery"
	"github.com/parsescale/parsescale/policies/feed/peers"
	"github.com/parsescale/parsescale/policies/ratelimit"
	"github.com/parsescale/parsescale/policies/upstream"
)

// AppStatus is one app in the answer of GET /parse/status.
type AppStatus struct {
	// AppID is the application id, where the gateway knows it.
	AppID string `json:"app_id,omitempty"`
	// Mount is the path of the Parse API; of several, the first in alphabetical order.
	Mount string `json:"mount"`
	// Level is the cache's level, Promise what it means.
	Level   string `json:"level"`
	Promise string `json:"promise"`
	// Serving: cached answers may be served at this moment.
	Serving bool `json:"serving"`
	// Workers are the workers requests are sent to.
	Workers []WorkerStatus `json:"workers"`
	// WebSockets is how many WebSockets pass.
	WebSockets int `json:"websockets"`
	// Hedges are the finds and gets that took long, by what came of asking a second worker.
	Hedges upstream.Hedges `json:"hedges"`
	// Timeouts is how often try_timeout and deadline of pool ended something.
	Timeouts upstream.Timeouts `json:"timeouts"`
	// News are what the app's gateways tell each other of broken upstreams; absent without a redis.
	News *RumourStatus `json:"news,omitempty"`
	// Recycled is how many bundled workers were replaced because of max_memory and max_requests; absent for upstreams.
	Recycled *supervisor.Recycled `json:"recycled,omitempty"`
	// Cache are the cache's counters.
	Cache cache.Stats `json:"cache"`
	// SelfChecks are the checks of hits, by result and by age of what was served; absent if there were none.
	SelfChecks cache.CheckCounts `json:"self_checks,omitempty"`
	// Feed is the change feed; absent for upstreams.
	Feed *feed.Status `json:"feed,omitempty"`
	// Admission bounds the requests to the workers; absent where it is off.
	Admission *admission.Status `json:"admission,omitempty"`
	// Autoscale is how many workers there should be; absent where the number stays.
	Autoscale *AutoscaleStatus `json:"autoscale,omitempty"`
	// Database is the feed of the database's log; absent without one.
	Database *decoding.Status `json:"database,omitempty"`
	// LiveQuery is the feed of Parse Server's LiveQuery messages; absent without one.
	LiveQuery *livequery.Status `json:"livequery,omitempty"`
	// Gateways is what is known of the other gateways of the deployment; absent without consistency.
	Gateways *peers.Status `json:"gateways,omitempty"`
	// SecondLevel is what answers in Redis are taken from and given to; absent without `redis on` in cache.
	SecondLevel *redisstore.Stats `json:"second_level,omitempty"`
	// Limits are the rate limits' counters, by zone, key, rate and what is charged.
	Limits map[string]ratelimit.Stats `json:"limits,omitempty"`
	// SharedLimits tell how it goes with limits that gateways have in common, by redis and on_redis_failure of rate_limit.
	SharedLimits map[string]ratelimit.SharedStats `json:"shared_limits,omitempty"`
}

// WorkerStatus joins what the pool and the supervisor know of a worker.
type WorkerStatus struct {
	upstream.Status
	// Process is the child process; absent for upstreams.
	Process *supervisor.WorkerStatus `json:"process,omitempty"`
}

func (g *gateway) status() AppStatus {
	s := AppStatus{
		AppID: g.appID, Mount: *g.mounted.Load(), Level: g.levelNow().String(), Promise: g.promise(g.levelNow()), Serving: g.serving(),
		Cache: g.cache.Stats(), SelfChecks: g.checks.Counts(), WebSockets: g.sockets.Count(), Workers: []WorkerStatus{},
		Timeouts: g.pool.Timeouts(), Hedges: g.pool.Hedges(), News: g.rumourStatus(),
	}
	processes := map[string]supervisor.WorkerStatus{}
	if sup := g.supervisor(); sup != nil {
		recycled := sup.Recycled()
		s.Recycled = &recycled
		for _, p := range sup.Status() {
			processes[p.Name] = p
		}
	}
	for _, w := range g.pool.Status() {
		ws := WorkerStatus{Status: w}
		if p, ok := processes[w.Name]; ok {
			ws.Process = &p
			delete(processes, w.Name)
		}
		s.Workers = append(s.Workers, ws)
	}
	for _, p := range processes { // starting, or just gone: in no pool
		s.Workers = append(s.Workers, WorkerStatus{Status: upstream.Status{Name: p.Name}, Process: &p})
	}
	if g.hub != nil {
		f := g.hub.Status()
		s.Feed, s.Gateways, s.SecondLevel = &f, g.owner.status(), g.secondStatus()
	}
	if n := g.scaling.Load(); n != nil {
		a := n.status()
		s.Autoscale = &a
	}
	if l := g.admission.Load(); l != nil {
		a := l.Status()
		s.Admission = &a
	}
	s.Database, s.LiveQuery = g.foreign.status(), g.foreign.messageStatus()
	g.mu.Lock()
	defer g.mu.Unlock()
	used := g.limitsNow()
	for key, shared := range g.shared {
		if !used.shared[shared] {
			continue
		}
		if s.SharedLimits == nil {
			s.SharedLimits = map[string]ratelimit.SharedStats{}
		}
		s.SharedLimits[key.String()] = shared.Stats()
	}
	for c, l := range g.limiters {
		if !used.limiters[l] {
			continue
		}
		if s.Limits == nil {
			s.Limits = map[string]ratelimit.Stats{}
		}
		s.Limits[c.String()] = s.Limits[c.String()].Plus(l.Stats())
	}
	return s
}
