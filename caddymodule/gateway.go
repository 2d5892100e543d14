package caddymodule

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"

	"github.com/parsescale/parsescale/caddymodule/supervisor"
	"github.com/parsescale/parsescale/caddymodule/websockets"
	"github.com/parsescale/parsescale/policies/admission"
	"github.com/parsescale/parsescale/policies/cache"
	"github.com/parsescale/parsescale/policies/coding"
	"github.com/parsescale/parsescale/policies/feed"
	"github.com/parsescale/parsescale/policies/feed/peers"
	"github.com/parsescale/parsescale/policies/ratelimit"
	"github.com/parsescale/parsescale/policies/upstream"
	"github.com/parsescale/parsescale/server/storage/sqlite"
	"github.com/parsescale/parsescale/server/trickle"
)

// startTimeout is how long a config waits for the first worker to be ready.
const startTimeout = time.Minute

// gatewayPool keeps the gateways across config reloads, by identity.
var gatewayPool = caddy.NewUsagePool()

// gateway is what one app has built up: its workers, its cache, its change feed, its limits. It lives as long as a
// config refers to it.
type gateway struct {
	identity
	pool  *upstream.Pool
	cache *cache.Cache
	hub   *feed.Hub // nil for upstreams
	owner owner
	// second is what the gateways of a deployment have in common of their caches; nil: there is one gateway.
	second atomic.Pointer[second]
	// images stands before the cache where other gateways may have written what this one hasn't heard of yet; else nil.
	images *peers.Images
	// events are those that Caddy's events app is still to be told of.
	events eventQueue
	// remotes are the pool's upstreams.
	remotes remotes
	// rumours are what the app's gateways tell each other of broken upstreams.
	rumours rumours
	// foreign tells of what others write to the database; nil for none.
	foreign *foreign
	// writes makes the ids of writes.
	writes *writeIDs
	// known is what workers have accepted of clients: whose requests may be counted by it.
	known   *ratelimit.Known
	encoder coding.Encoder
	// sockets are the WebSockets that pass.
	sockets websockets.Set
	// answered counts the answers, checks those that were compared with a worker's.
	answered answered
	checks   cache.Checks
	// admission bounds the requests to workers; nil: it is off.
	admission atomic.Pointer[admission.Limiter]
	// sending are the uploads that clients send just now.
	sending *trickle.Bodies
	// times are those of the requests to workers; nil before the first apply.
	times atomic.Pointer[poolTimes]
	// scaling follows the load with the number of workers; nil: it stays.
	scaling atomic.Pointer[scaling]
	// mounted is the mount that the status shows.
	mounted atomic.Pointer[string]
	// byHost: the workers, though bundled, write addresses of files by how the client came.
	byHost atomic.Bool
	// masterKey is the hash of the bundled workers' master key.
	masterKey atomic.Pointer[[sha256.Size]byte]

	// changing is held while the app is brought to other settings or ended, which can take as long as workers take to
	// start. options and claim belong to whoever holds it.
	changing sync.Mutex
	options  json.RawMessage // what the workers were started with
	claim    io.Closer       // on the database, together with the supervisor

	mu       sync.Mutex             // held for moments
	applied  *settings              // nil before the first apply
	sup      *supervisor.Supervisor // nil for upstreams, and before the first apply
	limiters map[limitKey]*ratelimit.Limiter
	shared   map[sharedKey]*ratelimit.Shared
	limited  map[*appState]usedLimits // by the configs that have started and not ended
}

// newGateway sets an app up without starting anything.
func newGateway(s *settings) (*gateway, error) {
	g := &gateway{
		identity: s.identity(), limiters: map[limitKey]*ratelimit.Limiter{}, shared: map[sharedKey]*ratelimit.Shared{},
		limited: map[*appState]usedLimits{},
		pool:    upstream.New(upstream.Options{}),
		writes:  newWriteIDs(),
		sending: trickle.Among(time.Now),
	}
	g.mounted.Store(&s.mount)
	g.cache = cache.New(cache.Options{MaxBytes: cmp.Or(s.cacheSize, defaultCacheSize), Oldest: g.owner.oldest})
	var err error
	if g.known, err = ratelimit.NewKnown(s.appID); err != nil {
		return nil, err
	}
	if s.workers != nil {
		var own feed.Applier = g.cache
		if s.deployment.consistency == boundedConsistency {
			g.images = peers.NewImages(g.cache, nil)
			own = peers.Own{Images: g.images}
		}
		g.hub = feed.NewHub(s.appID, own, feed.Options{Announcer: &g.owner})
	}
	if s.feedURI != "" {
		g.foreign = newForeign(s, g.cache)
	}
	g.remotes.pool = g.pool
	return g, nil
}

func (g *gateway) bundled() bool { return g.hub != nil }

// apply brings the app to the settings of a config that starts: the first time it starts the workers, later it changes
// what differs.
func (g *gateway) apply(s *settings, log *zap.Logger) error {
	g.changing.Lock()
	defer g.changing.Unlock()
	g.mounted.Store(&s.mount)
	g.byHost.Store(s.workers != nil && s.options["serverURL"] == nil && s.options["publicServerURL"] == nil)
	slogger := slog.New(zapslog.NewHandler(log.Core()))
	g.cache.SetMaxBytes(cmp.Or(s.cacheSize, defaultCacheSize))
	g.cache.SetStale(s.staleIfError)
	g.cache.SetTaking(s.sharing)
	if s.composed {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.applied = s
		return nil
	}
	options := upstream.Options{
		Probe: upstream.Probe{Path: s.healthURI}, GatherWrites: s.gatherWrites(), Logger: slogger, OnChange: g.workerChanged, Trace: traceAttempt,
		Policy: s.balance,
	}
	s.tuned.configure(&options)
	options.Hedge.Spare = g.spare
	times, err := s.tuned.times()
	if err != nil {
		return err
	}
	g.times.Store(times)
	g.pool.Configure(options)
	if g.current() == nil {
		log.Info("parse app", zap.Stringer("level", g.level), zap.String("promise", g.promise(g.level)))
	}
	err = g.applyAdmission(s)
	switch {
	case err != nil:
	case g.bundled():
		err = g.applyWorkers(s, slogger)
	default:
		if err = g.remotes.apply(s.upstreams, s.weights, slogger); err == nil {
			g.applyScaling(s, slogger)
		}
	}
	if err != nil {
		return err
	}
	if g.bundled() {
		g.known.SetKeys(s.keys)
	}
	g.foreign.start()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.applied = s
	return nil
}

// current is what was applied last, nil before the first time.
func (g *gateway) current() *settings {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.applied
}

// supervisor is what runs the workers, nil for upstreams and before the first apply.
func (g *gateway) supervisor() *supervisor.Supervisor {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.sup
}

func (g *gateway) applyWorkers(s *settings, log *slog.Logger) error {
	options, err := s.startOptions(log)
	if err != nil {
		return err
	}
	g.learnMasterKey(s.options)
	sup := g.supervisor()
	if sup == nil {
		return g.startWorkers(s, options, log)
	}
	sup.SetLimits(s.recycling())
	if !bytes.Equal(options, g.options) {
		// New workers may answer the same question differently, so nothing that the old ones said is kept.
		g.second.Load().suspend()
		defer func() {
			g.cache.Purge("", "")
			g.second.Load().open(g.options)
		}()
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		if err := sup.Replace(ctx, options); err != nil {
			return fmt.Errorf("cannot start workers with the new options; the old ones stay: %w", err)
		}
		g.options = options
	}
	return sup.Scale(g.applyScaling(s, log))
}

// startWorkers starts the first workers and waits until one is ready: a mistake in the options shows then, and the
// config is refused.
func (g *gateway) startWorkers(s *settings, options json.RawMessage, log *slog.Logger) error {
	file, err := gatewayURI(s.workers.DatabaseURI)
	if err != nil {
		return err
	}
	dir, err := sqlite.GatewayDir(file)
	if err != nil {
		return err
	}
	claim, sessions, err := g.takeClaim(s, file, log)
	if err != nil {
		return err
	}
	sup, err := supervisor.New(supervisor.Options{
		App: s.appID, Count: s.workers.Count, StateDir: dir, ServerOptions: options, Sessions: sessions,
		Hub: g.hub, Pool: g.pool, Logger: log, DrainTimeout: s.drainTimeout(), Limits: s.recycling(),
	})
	if err == nil {
		err = sup.Start(context.Background())
	}
	if err != nil {
		return errors.Join(err, claim.Close())
	}
	g.options, g.claim = options, claim
	g.second.Load().open(options)
	g.mu.Lock()
	g.sup = sup
	g.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := sup.WaitReady(ctx, 1); err != nil {
		return err
	}
	g.applyScaling(s, log)
	return nil
}

// startOptions are the options workers start with: what the config says and the master key that was made for it.
func (s *settings) startOptions(log *slog.Logger) (json.RawMessage, error) {
	if s.options["masterKey"] == nil {
		dir, err := databaseDir(s.workers.DatabaseURI)
		if err != nil {
			return nil, err
		}
		key, file, err := storedMasterKey(dir)
		if err != nil {
			return nil, err
		}
		s.options["masterKey"], _ = json.Marshal(key) // a string always marshals
		log.Info("no master key was given; using the one kept in a file", "file", file)
	}
	b, err := json.Marshal(s.options)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the workers' options: %w", err)
	}
	return b, nil
}

// serving reports whether cached answers may be served: every worker that could write tells the gateway first.
func (g *gateway) serving() bool {
	return (g.hub == nil || g.hub.Live() && g.owner.settled() && g.owner.serves()) && g.foreign.serving()
}

// levelNow is the level that answers can have at this moment.
func (g *gateway) levelNow() cache.Level {
	if g.foreign == nil || g.level == cache.Fenced && g.foreign.transport.State() == feed.Lost { // nothing is served
		return g.level
	}
	return g.foreign.storing()
}

// Destruct ends the app when no config refers to it any more: its workers finish their requests and stop. While Caddy
// runs on, requests of the old config may still be under way, so that happens in the background.
func (g *gateway) Destruct() error {
	if caddy.Exiting() {
		return g.stop()
	}
	ending.Go(func() {
		if err := g.stop(); err != nil {
			caddy.Log().Named("parse").Error("cannot stop the app cleanly", zap.String("app", g.name), zap.Error(err))
		}
	})
	return nil
}

// ending are the apps that end in the background.
var ending sync.WaitGroup

func (g *gateway) stop() error {
	g.changing.Lock()
	defer g.changing.Unlock()
	g.endScaling()
	g.sockets.Close(g.current().socketsCloseOver())
	var errs []error
	g.foreign.stop()
	if sup := g.supervisor(); sup != nil {
		drain := time.Duration(0) // a start that failed leaves nothing to drain
		if s := g.current(); s != nil {
			drain = s.drainTimeout()
		}
		ctx, cancel := context.WithTimeout(context.Background(), drain+5*time.Second)
		defer cancel()
		errs = append(errs, sup.Stop(ctx), g.claim.Close())
	}
	g.closeShared()
	g.rumours.close()
	g.remotes.stop()
	return errors.Join(append(errs, g.pool.Close())...)
}

var _ caddy.Destructor = (*gateway)(nil)
