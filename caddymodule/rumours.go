package caddymodule

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/parsescale/parsescale/policies/ratelimit/ledger"
	"github.com/parsescale/parsescale/policies/rumour"
	"github.com/parsescale/parsescale/policies/upstream"
)

// rumourTimeout bounds each question to Redis about other gateways' breakers. No request waits for one.
const rumourTimeout = time.Second

// rumours are what an app's gateways tell each other of broken workers.
type rumours struct {
	teller atomic.Pointer[rumour.Teller] // nil: they don't

	mu     sync.Mutex // held while that changes
	key    redisKey
	client redis.UniversalClient
	stop   context.CancelFunc
	ended  chan struct{}
}

// RumourStatus is what an app's gateways tell each other of broken workers, in the answer of GET /parse/status.
type RumourStatus struct {
	// Up: Redis could be asked last.
	Up bool `json:"up"`
	// Gateways is how many others there are, as far as is known.
	Gateways int `json:"gateways"`
	upstream.Doubts
}

// suspects are a pool's workers as the other gateways know them: by their addresses.
type suspects struct{ pool *upstream.Pool }

func (s suspects) Broken() (all []rumour.Report) {
	for _, b := range s.pool.Broken() {
		all = append(all, rumour.Report{Worker: b.Address, Number: b.Number})
	}
	return all
}

func (s suspects) Heard(worker string, many bool) { s.pool.Doubt(worker, many) }

// applyRumours has the app's gateways tell each other of broken upstreams, if the config has a Redis. Bundled workers are each
// gateway's own.
func (g *gateway) applyRumours(a *App, s *settings) {
	r := &g.rumours
	r.mu.Lock()
	defer r.mu.Unlock()
	wanted := a.redis != nil && !g.bundled() && !s.composed && (s.tuned == nil || s.tuned.Breaker == nil || !s.tuned.Breaker.NewsOff)
	if r.teller.Load() != nil && wanted && r.key == a.redisKey {
		return
	}
	r.end()
	if !wanted {
		return
	}
	client, err := ledger.NewClient(a.redisKey.url, rumourTimeout)
	if err != nil {
		a.logger.Error("cannot tell other gateways of broken workers", zap.String("app", g.name), zap.Error(err)) // connect has taken the address
		return
	}
	deployment := a.redisKey.deployment
	if deployment == "" {
		deployment = ledger.DefaultDeployment
	}
	name := rand.Text()
	board := rumour.NewBoard(client, "parsescale:{"+deployment+":"+g.name+"}:breakers", name, rumour.Keep, rumourTimeout)
	ctx, stop := context.WithCancel(context.Background())
	teller, ended := rumour.NewTeller(name, suspects{g.pool}, board), make(chan struct{})
	r.key, r.client, r.stop, r.ended = a.redisKey, client, stop, ended
	r.teller.Store(teller)
	go func() {
		defer close(ended)
		teller.Run(ctx)
	}()
}

// end ends it. mu is held.
func (r *rumours) end() {
	if r.teller.Swap(nil) == nil {
		return
	}
	r.stop()
	<-r.ended
	_ = r.client.Close() // nothing is asked any more
}

func (r *rumours) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end()
}

// tell has the others told at once that a breaker has opened.
func (r *rumours) tell() {
	if t := r.teller.Load(); t != nil {
		t.Tell()
	}
}

func (g *gateway) rumourStatus() *RumourStatus {
	t := g.rumours.teller.Load()
	if t == nil {
		return nil
	}
	n, up := t.Others()
	return &RumourStatus{up, n, g.pool.Doubts()}
}
