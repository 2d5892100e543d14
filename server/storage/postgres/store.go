package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parsescale/parsescale/server/storage"
)

// Options are what Open takes.
type Options struct {
	// URI is postgres://user:password@host:port/database with parse-server's parameters or libpq's, and with replicas, a
	// list of host:port of standbys, separated by commas, that may answer reads. Required.
	URI string
	// App is the application's id, for the changes that are announced.
	App string
	// Session is the application_name of all connections, a name of the Claim under which the store is used. Default: what
	// the address says, else ApplicationName, and the database must be claimed by nobody.
	Session string
	// Announcer is told of every change before it is committed. Default none.
	Announcer storage.Announcer
	// AnnounceTimeout bounds how long the Announcer may take; the write fails beyond. Default 10 s.
	AnnounceTimeout time.Duration
	// Timeout bounds the wait for a free connection, and that for a new one. Default 5 s.
	Timeout time.Duration
	// AuthProviders are the providers whose ids are unique among users. Default "anonymous".
	AuthProviders []string
	// SkipIndexes names indexes of parse-server that aren't made if they aren't there. Default none.
	SkipIndexes []string
	// WriteIDTTL is how long the result of a write with an id is kept. Default 5 minutes.
	WriteIDTTL time.Duration
	// Clock is the time. Default time.Now.
	Clock func() time.Time
	// Logger gets warnings. Default slog.Default.
	Logger *slog.Logger
}

func (o *Options) defaults() {
	if o.AnnounceTimeout == 0 {
		o.AnnounceTimeout = 10 * time.Second
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if o.AuthProviders == nil {
		o.AuthProviders = []string{"anonymous"}
	}
	if o.WriteIDTTL == 0 {
		o.WriteIDTTL = 5 * time.Minute
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
}

// Store is an app's database on a PostgreSQL server.
type Store struct {
	options   Options
	primary   *pool
	replicas  []*replica
	turn      atomic.Uint32 // of the replicas
	positions positions
	sender    string // of notifications, as parse-server's senderId
	catalog   atomic.Pointer[catalog]
	reloading sync.Mutex
	numbers   numbers
	sweeping  atomic.Int64 // when expired write ids were deleted last, in ms since 1970

	gate storage.Gate
	// closing ends when the store is about to be closed, and with it what nobody waits for; cancel ends it.
	closing  context.Context
	cancel   context.CancelFunc
	settling sync.Mutex // held by whoever settles a commit in doubt that was left
}

var _ storage.Store = (*Store)(nil)

// Open connects, and creates parse-server's tables and the store's own when they aren't there. Several processes may do so
// at the same time.
func Open(ctx context.Context, o Options) (*Store, error) {
	o.defaults()
	loc, err := parseURI(o.URI)
	if err != nil {
		return nil, err
	}
	for _, l := range append([]location{loc}, loc.replicas...) {
		switch {
		case o.Session != "":
			l.config.RuntimeParams["application_name"] = o.Session
			noticeDeath(l.config.RuntimeParams)
		case l.config.RuntimeParams["application_name"] == "":
			l.config.RuntimeParams["application_name"] = ApplicationName()
		}
		// Compiling a query with many conditions takes longer than running it.
		if l.config.RuntimeParams["jit"] == "" {
			l.config.RuntimeParams["jit"] = "off"
		}
	}
	s := &Store{options: o, primary: newPool(loc, o.Timeout), sender: rand.Text()}
	s.closing, s.cancel = context.WithCancel(context.Background())
	s.sweeping.Store(o.Clock().UnixMilli()) // what others have left can wait
	if err := s.use(ctx, s.install); err != nil {
		s.cancel()
		s.primary.close()
		return nil, fmt.Errorf("cannot set up the database: %w", err)
	}
	s.addReplicas(loc.replicas)
	return s, nil
}

// ApplicationName is the application_name of this process's connections, unless the address has one, or they belong to a
// claim. By it a gateway that claims the database sees that a worker runs there without a claim; one with a name of its own it
// only counts among other programs.
func ApplicationName() string {
	host, _ := os.Hostname() // "" will do
	name := fmt.Sprintf(workerPrefix+"%d %s", os.Getpid(), host)
	return name[:min(len(name), 63)] // as PostgreSQL would cut it
}

// use calls f with a connection. It does so once more with a new one if the first had been lost before it was used.
func (s *Store) use(ctx context.Context, f func(*conn) error) error {
	for fresh := false; ; fresh = true {
		c, err := s.primary.take(ctx, fresh)
		if err != nil {
			return err
		}
		err = f(c)
		s.primary.give(c)
		if !errors.Is(err, errLost) || fresh {
			return unavailable(err)
		}
		s.primary.drop()
	}
}

// within is use for at most d: then whatever f waits for is called off.
func (s *Store) within(ctx context.Context, d time.Duration, f func(*conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return s.use(ctx, func(c *conn) error {
		stop := c.watch(ctx)
		err := f(c)
		if stop() && err != nil && ctx.Err() != nil {
			return ctx.Err() // the connection isn't to blame, nor are others
		}
		return err
	})
}

// Close waits for what runs and closes the connections. What nobody waits for is called off.
func (s *Store) Close() error {
	s.cancel()
	if !s.gate.Close() {
		return nil
	}
	s.primary.close()
	for _, r := range s.replicas {
		r.close()
	}
	return nil
}
