package ledger

import (
	"context"
	"crypto/rand"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/parsescale/parsescale/policies/breaker"
)

//go:embed charge.lua
var chargeSource string

//go:embed report.lua
var reportSource string

//go:embed beat.lua
var beatSource string

// The defaults, and what no setting changes.
const (
	DefaultDeployment = "parsescale"
	DefaultTimeout    = 50 * time.Millisecond

	dialTimeout = time.Second            // in the background; who waits for the connection waits no longer than the time-out
	beatEvery   = time.Second            // how often a gateway says that it is there
	beatFor     = 5 * time.Second        // how long it counts after that
	askEvery    = 100 * time.Millisecond // how often a Redis that has failed may be asked whether it is back
)

// Options say where Redis is.
type Options struct {
	// URL is its address, as redis://user:password@host:6379/0, rediss:// for TLS, or unix://; for a Redis Cluster with
	// further nodes as ?addr=host:port&addr=…. No default.
	URL string
	// Deployment is what the keys' names begin with: gateways of the same deployment count together, and with nobody else.
	// Letters, digits, _ . and -; default parsescale.
	Deployment string
	// Timeout is how long a question may take (default 50ms).
	Timeout time.Duration
	// OnChange is told, in order, when Redis is gone and when it is back. It must not block.
	OnChange func(up bool)
}

// Redis is a deployment's connection. It connects when there is something to ask, is safe for concurrent use, and may outlive
// the configuration that made it.
type Redis struct {
	client     redis.UniversalClient
	deployment string
	name       string // of this gateway
	timeout    time.Duration
	breaker    *breaker.Breaker

	charge, report, beat *redis.Script

	gateways atomic.Int64 // as counted last; 0: never
	failures atomic.Uint64
	failing  atomic.Bool // the last question failed

	begin, end sync.Once
	done       chan struct{}
	ended      chan struct{}
}

// The client library writes each dial that fails to standard error. It is counted here, and told when it matters.
func init() { redis.SetLogger(silent{}) }

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// errGone is why a question isn't asked.
var errGone = errors.New("cannot ask Redis: it has failed just now")

var deploymentName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// ValidDeployment reports whether a name may be that of a deployment.
func ValidDeployment(name string) bool { return deploymentName.MatchString(name) }

// Open reads the address. Neither it nor an error of it connects, or repeats the address, which may hold a password.
func Open(o Options) (*Redis, error) {
	if o.Deployment == "" {
		o.Deployment = DefaultDeployment
	}
	if !ValidDeployment(o.Deployment) {
		return nil, fmt.Errorf("a deployment is named by 1 to 64 letters, digits, _ . and -, not %q", o.Deployment)
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Timeout < 0 {
		return nil, fmt.Errorf("the time-out of Redis must be longer than zero, not %s", o.Timeout)
	}
	client, err := NewClient(o.URL, o.Timeout)
	if err != nil {
		return nil, err
	}
	r := &Redis{
		client: client, deployment: o.Deployment, name: rand.Text(), timeout: o.Timeout,
		charge: redis.NewScript(chargeSource), report: redis.NewScript(reportSource), beat: redis.NewScript(beatSource),
		done: make(chan struct{}), ended: make(chan struct{}),
	}
	r.breaker = breaker.New(breaker.Options{
		Failures: 3, OpenFor: 2 * askEvery, MaxOpenFor: 2 * time.Second, Probes: 1, ProbeTimeout: dialTimeout + 2*o.Timeout,
		OnChange: func(from, to breaker.State) {
			if o.OnChange != nil && (from == breaker.Closed || to == breaker.Closed) {
				o.OnChange(to == breaker.Closed)
			}
		},
	})
	return r, nil
}

// CheckURL says what is wrong with an address.
func CheckURL(address string) error {
	c, err := NewClient(address, DefaultTimeout)
	if err != nil {
		return err
	}
	return c.Close()
}

// NewClient makes a connection that each question ends in time, and that doesn't ask again by itself. It connects when there is
// something to ask. The error doesn't repeat the address, which may hold a password.
func NewClient(address string, timeout time.Duration) (redis.UniversalClient, error) {
	wrong := errors.New("the address of Redis must be like redis://:password@host:6379/0, rediss://… or unix://…")
	u, err := url.Parse(address)
	if err != nil {
		return nil, wrong // the error would repeat the address
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, wrong
	}
	quiet := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	if query.Has("addr") {
		c, err := redis.ParseClusterURL(address)
		if err != nil {
			return nil, wrong
		}
		c.DialTimeout, c.ReadTimeout, c.WriteTimeout, c.PoolTimeout = dialTimeout, timeout, timeout, timeout
		c.MaxRetries, c.DialerRetries, c.ContextTimeoutEnabled, c.DisableIdentity, c.MaintNotificationsConfig = -1, 1, true, true, quiet
		return redis.NewClusterClient(c), nil
	}
	c, err := redis.ParseURL(address)
	if err != nil {
		return nil, wrong
	}
	c.DialTimeout, c.ReadTimeout, c.WriteTimeout, c.PoolTimeout = dialTimeout, timeout, timeout, timeout
	c.MaxRetries, c.DialerRetries, c.ContextTimeoutEnabled, c.DisableIdentity, c.MaintNotificationsConfig = -1, 1, true, true, quiet
	return redis.NewClient(c), nil
}

// ask runs a script, unless Redis has failed just now, and takes note of how that ends.
func (r *Redis) ask(script *redis.Script, keys []string, args ...any) (*redis.Cmd, error) {
	if !r.Up() {
		return nil, errGone
	}
	return r.try(script, keys, args...)
}

// try is ask, also to find out whether Redis is back.
func (r *Redis) try(script *redis.Script, keys []string, args ...any) (*redis.Cmd, error) {
	end, err := r.breaker.Allow()
	if err != nil {
		return nil, errGone
	}
	outcome := breaker.Ignored // unless it ends here
	defer func() { end(outcome) }()
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout)
	defer cancel()
	answer := script.Run(ctx, r.client, keys, args...)
	if err := answer.Err(); err != nil {
		r.failures.Add(1)
		r.failing.Store(true)
		outcome = breaker.Failure
		return nil, fmt.Errorf("cannot ask Redis: %w", err)
	}
	r.failing.Store(false)
	outcome = breaker.Success
	return answer, nil
}

// Up reports whether requests may ask.
func (r *Redis) Up() bool { return r.breaker.State() == breaker.Closed }

// Gateways is how many gateways of the deployment there are, this one included. Before it is known it is taken for 4: the
// first moments of a gateway among few are stricter then than they need be, and not far too lax among many.
func (r *Redis) Gateways() int {
	if n := r.gateways.Load(); n > 0 {
		return int(n)
	}
	return 4
}

// Failures is the number of questions that failed, for whichever app.
func (r *Redis) Failures() uint64 { return r.failures.Load() }

// Start says in the background that this gateway is there, and asks after a Redis that is gone, until Close. Later calls do
// nothing.
func (r *Redis) Start() {
	r.begin.Do(func() { go r.run() })
}

func (r *Redis) run() {
	defer close(r.ended)
	ticks := time.NewTicker(askEvery)
	defer ticks.Stop()
	var last time.Time
	for {
		if !r.Up() || r.failing.Load() || time.Since(last) >= beatEvery {
			answer, err := r.try(r.beat, []string{"parsescale:{" + r.deployment + "}:gateways"}, r.name, beatFor.Microseconds())
			if err == nil {
				if n, err := answer.Int64(); err == nil {
					r.gateways.Store(n)
				}
			}
			last = time.Now()
		}
		select {
		case <-ticks.C:
		case <-r.done:
			return
		}
	}
}

// Close ends the connections. Questions under way may fail.
func (r *Redis) Close() error {
	r.begin.Do(func() { close(r.ended) }) // it never started
	r.end.Do(func() { close(r.done) })
	<-r.ended
	return r.client.Close()
}
