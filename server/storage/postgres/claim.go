package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/parsescale/parsescale/server/change"
)

// ErrClaimed: the database is in use in a way that excludes the present one. A gateway that says that only its workers write
// to a database may cache as if it were told of every write; so either one such gateway has the database, or others do.
var ErrClaimed = errors.New("the database is in use")

// ClaimOptions say which database to claim. URI is required.
type ClaimOptions struct {
	// URI is the address, as the workers have it.
	URI string
	// Drop is called when what was known of the database may not be true any more: when the claim was lost, and when it
	// counts (again). It must not wait for the claim. Default: nothing is called.
	Drop func()
	// Shared: other gateways whose claim is shared may have the database at the same time; this one must hear of their writes
	// in another way. Default: nobody else may.
	Shared bool
	// Looked is called after each look at the database under a shared claim: when it began, since when this gateway can be seen
	// there without a break, and the names of all gateways that may have a write on its way. It must not wait for the claim.
	// Default: nothing is called.
	Looked func(began, since time.Time, gateways []string)
	// Logger gets what becomes of the claim; nil: nobody does.
	Logger *slog.Logger
	// Lease is for how long a look at the database is trusted (default 2 s). Half of it bounds the look itself, and a
	// quarter is the time between two.
	Lease time.Duration
	// Patience is how long Claim waits for a database that somebody else is about to leave (default 5 s).
	Patience time.Duration
}

// Claim is one gateway's right to be the only one whose workers write to a database. It is an advisory lock in a session of
// its own, which is looked at again and again:
//
//   - A write may be committed only while the latest look is no older than the lease (Held, Announce).
//   - Answers may be cached only while it is, and from a lease and a half after the lock was taken: whoever had it before,
//     and hasn't noticed yet that it is lost, lets nothing be committed any more by then. What sessions there still are of
//     its workers are ended, and waited for (Settled).
//   - Sessions have names that tell whose they are. One that belongs to another gateway of this kind ends the trust until
//     it is gone.
//   - A shared claim is one of several. The others' sessions are no strangers then, but reported with each look (Looked).
//
// What no claim can see is a program that writes with a name of its own, such as a Node parse-server: that there is none
// is what the operator says by asking for a claim. Others' sessions are counted and warned of.
type Claim struct {
	o      ClaimOptions
	config *pgconn.Config
	name   string // of this gateway, in the names of its sessions
	log    *slog.Logger
	start  time.Time
	ctx    context.Context
	cancel context.CancelFunc
	ended  chan struct{}

	proven  atomic.Int64 // when the last good look began, in nanoseconds since start; 0: the claim isn't held
	settled atomic.Bool
	others  atomic.Int64 // sessions of programs that aren't ours

	mu      sync.Mutex
	waiting map[*waiter]struct{} // writes that may go on once the claim is held
}

// waiter is a write that waits for the claim.
type waiter struct{ proceed func() }

// claimLock is the number of the advisory lock.
const claimLock = 4215866139920134275

// sessionPrefix begins the names of sessions under a claim, workerPrefix those of workers that run without one.
const (
	sessionPrefix = "parsescale-"
	workerPrefix  = "parsescale "
)

// TakeClaim takes the database for a gateway, until Close or the end of the process. It fails with ErrClaimed while another
// gateway has it, or a worker runs on it without a claim.
func TakeClaim(ctx context.Context, o ClaimOptions) (*Claim, error) {
	loc, err := parseURI(o.URI)
	if err != nil {
		return nil, err
	}
	if o.Lease <= 0 {
		o.Lease = 2 * time.Second
	}
	if o.Patience <= 0 {
		o.Patience = 5 * time.Second
	}
	if o.Drop == nil {
		o.Drop = func() {}
	}
	if o.Looked == nil {
		o.Looked = func(time.Time, time.Time, []string) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Claim{o: o, config: loc.config, name: sessionPrefix + strings.ToLower(rand.Text()[:12]), log: o.Logger, start: time.Now(), ended: make(chan struct{})}
	c.config.DialFunc = dialer(o.Lease / 2).DialContext
	c.config.RuntimeParams["application_name"] = c.Session("gateway")
	delete(c.config.RuntimeParams, "statement_timeout")
	noticeDeath(c.config.RuntimeParams)
	s, err := c.take(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot claim the database for this gateway: %w", err)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	go c.keep(s)
	return c, nil
}

// noticeDeath has the server end a session within about 20 s once its client's machine is gone; until then it counts as one that
// may still commit something.
func noticeDeath(params map[string]string) {
	for name, v := range map[string]string{"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3", "tcp_user_timeout": "20000"} {
		if params[name] == "" {
			params[name] = v
		}
	}
}

// Name is this gateway's name, by which the others see it in the database.
func (c *Claim) Name() string { return c.name }

// Session is the name that the sessions of a worker must have; worker is unique to one process.
func (c *Claim) Session(worker string) string { return c.name + "/" + worker }

// Held reports whether a write may be committed now.
func (c *Claim) Held() bool {
	proven := c.proven.Load()
	return proven != 0 && time.Since(c.start)-time.Duration(proven) < c.o.Lease
}

// Settled reports whether nobody but this gateway's workers can have written unnoticed since Drop was called last.
func (c *Claim) Settled() bool { return c.settled.Load() && c.Held() }

// Others is the number of sessions of programs that aren't ours, as of the last look.
func (c *Claim) Others() int64 { return c.others.Load() }

// Announce implements the announcer of the gateway's hub: it lets a write go on once the claim is held.
func (c *Claim) Announce(_ []change.Change, proceed func()) (finish func()) {
	if c.Held() {
		proceed()
		return func() {}
	}
	w := &waiter{proceed}
	c.mu.Lock()
	if c.waiting == nil {
		c.waiting = map[*waiter]struct{}{}
	}
	c.waiting[w] = struct{}{}
	c.mu.Unlock()
	if c.Held() { // it has come back meanwhile
		c.letGo()
	}
	return func() { // a write that gave up waits no more
		c.mu.Lock()
		delete(c.waiting, w)
		c.mu.Unlock()
	}
}

func (c *Claim) letGo() {
	c.mu.Lock()
	waiting := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	for w := range waiting {
		w.proceed()
	}
}

// Close gives the database back. The workers must have ended.
func (c *Claim) Close() error {
	c.cancel()
	<-c.ended
	return nil
}

// take connects and locks. It waits while the lock is somebody else's, who may be about to end.
func (c *Claim) take(ctx context.Context) (*claimSession, error) {
	deadline := time.Now().Add(c.o.Patience)
	var told error // who has it
	for {
		s, err := c.try(ctx)
		switch {
		case err == nil:
			return s, nil
		case errors.Is(err, ErrClaimed):
			told = err
		case stateOf(err) == adminShutdown:
			// Whoever has the claim ends the sessions of others, and was quicker than the question who that is.
			if err = told; err == nil {
				err = fmt.Errorf("%w: another gateway, which has it, ended the session", ErrClaimed)
			}
		default:
			return nil, err
		}
		if time.Now().After(deadline) {
			return nil, err
		}
		select {
		case <-time.After(c.o.Lease / 8):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// try takes the lock, if it is free and no worker runs without a claim.
func (c *Claim) try(ctx context.Context) (*claimSession, error) {
	s, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.direct(); err != nil {
		s.close()
		return nil, err
	}
	begun := time.Since(c.start)
	switch locked, holder, err := s.lock(c.o.Shared); {
	case err != nil:
		s.close()
		return nil, err
	case !locked && c.o.Shared:
		s.close()
		return nil, fmt.Errorf("%w: another gateway, %s, is configured as the only one; stop it, or give it consistency, too", ErrClaimed, holder)
	case !locked:
		s.close()
		return nil, fmt.Errorf("%w: another gateway, %s, is configured as the exclusive one; stop it, or take exclusive out of both configurations", ErrClaimed, holder)
	}
	seen, err := s.look()
	if err == nil && seen.unclaimed > 0 {
		err = fmt.Errorf("%w: %d sessions belong to workers that don't run under this gateway; stop them, or take exclusive out of the configuration", ErrClaimed, seen.unclaimed)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	s.taken = begun
	c.proven.Store(int64(max(begun, 1)))
	c.letGo()
	return s, nil
}
