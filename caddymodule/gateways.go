package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/parsescale/parsescale/policies/cache"
	"github.com/parsescale/parsescale/policies/feed/peers"
	"github.com/parsescale/parsescale/policies/feed/redislog"
	"github.com/parsescale/parsescale/policies/ratelimit/ledger"
	"github.com/parsescale/parsescale/server/storage/postgres"
)

// The values of consistency.
const (
	boundedConsistency = "bounded"
	strictConsistency  = "strict"
)

// feedTimeout bounds each question to Redis about the feed of several gateways. No request waits for one.
const feedTimeout = time.Second

// lastWord is how long a gateway that ends tries to say so.
const lastWord = time.Second

// deployment is what gateways that share an app have in common. The zero value: there is one gateway.
type deployment struct {
	redis       string // its address
	name        string
	consistency string
}

// checkConsistency says what is wrong with the workers' consistency.
func (w *Workers) checkConsistency() error {
	switch {
	case w.Consistency == "":
		return nil
	case w.Consistency != boundedConsistency && w.Consistency != strictConsistency:
		return fmt.Errorf("consistency is bounded or strict, not %q", w.Consistency)
	case strings.HasPrefix(w.DatabaseURI, "sqlite://"):
		return errors.New("consistency is for several gateways whose workers share a PostgreSQL database; an SQLite file belongs to one gateway")
	case !w.Exclusive:
		return errors.New("consistency needs exclusive: only if nobody but the workers of these gateways writes to the database can they hear of every write")
	}
	return nil
}

// share says how the app is shared, by means of the config's Redis.
func (a *App) share(s *settings) error {
	if s.workers == nil || s.workers.Consistency == "" {
		return nil
	}
	if a.redis == nil {
		return errors.New("consistency needs a Redis by which the gateways hear of each other's writes: give the global option parse a redis with an address")
	}
	s.deployment = deployment{a.redisKey.url, a.redisKey.deployment, s.workers.Consistency}
	if s.deployment.name == "" {
		s.deployment.name = ledger.DefaultDeployment
	}
	return nil
}

// promise is what a client may rely on at a level.
func (g *gateway) promise(l cache.Level) string {
	switch g.deployment.consistency {
	case boundedConsistency:
		return "An acknowledged write is seen by every later read through this gateway, and through the others of the deployment after at most 5 seconds, usually a few milliseconds."
	case strictConsistency:
		return "An acknowledged write is seen by every later read through any gateway of the deployment, and no read gives an older result than one that ended before it."
	}
	return l.Promise()
}

// exact reports whether an entry is as good as an answer given now.
func (g *gateway) exact() bool {
	return g.level == cache.Exact && g.deployment.consistency != boundedConsistency
}

// others is the app's part among several gateways; the zero value: there is one.
type others struct{ node atomic.Pointer[peers.Node] }

// serves reports whether anything cached may be served.
func (o *others) serves() bool {
	n := o.node.Load()
	if n == nil {
		return true
	}
	_, ok := n.Serve()
	return ok
}

// oldest is when a question may have been asked for its answer to be served now. It implements cache.Options.Oldest.
func (o *others) oldest() time.Time {
	n := o.node.Load()
	if n == nil {
		return time.Time{}
	}
	notBefore, _ := n.Serve()
	return notBefore
}

func (o *others) status() *peers.Status {
	n := o.node.Load()
	if n == nil {
		return nil
	}
	s := n.Status()
	return &s
}

// joined is a Node that runs.
type joined struct {
	g      *gateway
	node   *peers.Node
	client redis.UniversalClient
	second *second
	stop   context.CancelFunc
	ended  chan struct{}
}

// join makes this gateway one of several, under the claim by which they see each other.
func (g *gateway) join(claim *postgres.Claim, log *slog.Logger) (*joined, error) {
	client, err := ledger.NewClient(g.deployment.redis, feedTimeout)
	if err != nil {
		return nil, err
	}
	var told peers.Cache = g.cache
	if g.images != nil {
		told = g.images
	}
	node := peers.New(peers.Options{
		Name: claim.Name(), App: g.appID, Cache: told, Strict: g.deployment.consistency == strictConsistency, Logger: log,
		Finished: g.cache.Finished,
	})
	second, err := g.newSecond(node)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	g.second.Store(second)
	ctx, stop := context.WithCancel(context.Background())
	j := &joined{g: g, node: node, client: client, second: second, stop: stop, ended: make(chan struct{})}
	// As the keys of the app's limits begin: in one slot of a cluster.
	records := redislog.New(client, "parsescale:{"+g.deployment.name+":"+g.name+"}:feed", feedTimeout)
	go func() {
		defer close(j.ended)
		node.Run(ctx, records)
	}()
	g.owner.node.Store(node)
	return j, nil
}

// Close leaves the others. The workers have ended. If it isn't certain that nothing of them can still be committed, nothing is
// said: the others find out by the database.
func (j *joined) Close() error {
	if j.g.hub.Live() {
		j.node.Leave()
		for end := time.Now().Add(lastWord); !j.node.Said() && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
	}
	j.stop()
	<-j.ended
	return errors.Join(j.second.Close(), j.client.Close())
}
