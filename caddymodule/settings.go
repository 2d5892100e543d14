package caddymodule

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/redis/go-redis/v9"

	"github.com/parsescale/parsescale/caddymodule/supervisor"
	"github.com/parsescale/parsescale/policies/balance"
	"github.com/parsescale/parsescale/policies/cache"
	"github.com/parsescale/parsescale/policies/request"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/storage/postgres"
)

// settings are an app's settings with everything resolved that can be before it starts.
type settings struct {
	name  string
	appID string
	mount string
	level cache.Level
	// composed: other handlers answer, so that there are no workers.
	composed bool
	// bundled workers
	workers    *Workers
	options    map[string]json.RawMessage // by parse-server's names
	keys       request.ClientKeys         // that the workers take
	deployment deployment                 // of several gateways
	// upstreams
	upstreams []string       // scheme://host:port
	weights   map[string]int // of some of them
	healthURI string
	feedGiven FeedConfig     // as the config has it
	feedURI   string         // "" for none
	feed      *pgconn.Config // nil for none
	feedRedis *redis.Options // nil for none

	balance      balance.Policy
	cacheSize    int64            // the largest that a handler wants; 0: the default
	staleIfError time.Duration    // the longest that a handler wants
	sharing      bool             // a handler wants answers to be shared with other gateways
	admission    *AdmissionConfig // nil: the defaults
	tuned        *PoolConfig      // nil: the defaults
	scaling      *scalingSettings // nil: the number of workers stays
}

func newSettings(name string, c *AppConfig, h *Handler) (*settings, error) {
	if err := c.validate(name); err != nil {
		return nil, err
	}
	s := &settings{name: name, mount: h.Mount, cacheSize: h.cacheSize(), staleIfError: h.staleIfError(), sharing: h.sharesAnswers()}
	s.balance, _ = balance.ParsePolicy(c.Balance) // it was checked
	if err := s.tunes(h.Pool); err != nil {
		return nil, err
	}
	if err := s.admits(h.Admission); err != nil {
		return nil, err
	}
	var err error
	if s.scaling, err = c.scaling(); err != nil {
		return nil, err
	}
	if c.Workers == nil {
		s.level, s.appID = cache.TTL, c.AppID
		s.healthURI = c.HealthURI
		if s.healthURI == "" {
			s.healthURI = h.Mount + "/health"
		}
		var err error
		if s.upstreams, s.weights, err = c.upstreamURLs(); err != nil {
			return nil, err
		}
		return s, s.resolveFeed(c.Feed)
	}
	w, err := c.Workers.resolve()
	if err != nil {
		return nil, err
	}
	if _, err := databaseDir(w.DatabaseURI); err != nil {
		return nil, err
	}
	if err := w.checkConsistency(); err != nil {
		return nil, err
	}
	s.level, s.workers, s.appID, s.healthURI = cache.Exact, w, w.AppID, h.Mount+"/health"
	switch file := strings.HasPrefix(w.DatabaseURI, "sqlite://"); {
	case file && w.Exclusive:
		return nil, fmt.Errorf("exclusive is for a PostgreSQL database; an SQLite file belongs to one gateway anyway")
	case !file && !w.Exclusive:
		s.level = cache.TTL // others may write to a database on a server
	}
	if s.options, err = w.serverOptions(h.Mount); err != nil {
		return nil, err
	}
	return s, s.checkOptions()
}

// gatherWrites is up to how many requests under way a worker gets all writes. Only one process can write to an SQLite
// file at a time, and it commits in one go what has come meanwhile; a server's database does that across processes.
func (s *settings) gatherWrites() int64 {
	if s.workers == nil || !strings.HasPrefix(s.workers.DatabaseURI, "sqlite://") {
		return 0
	}
	return 128
}

// resolveFeed reads the feed's address. With a feed the level is fenced or lossy, as long as the feed is followed.
func (s *settings) resolveFeed(f *FeedConfig) error {
	if f == nil {
		return nil
	}
	s.feedGiven = *f
	uri, err := caddy.NewReplacer().ReplaceOrErr(f.Postgres+f.LiveQuery, false, true) // one of them is empty
	if err != nil {
		return fmt.Errorf("cannot read the feed's address: %w", err)
	}
	if f.LiveQuery != "" {
		if s.feedRedis, err = redis.ParseURL(uri); err != nil {
			return errors.New("the feed's address must be like redis://:password@host:6379") // the reason would show it
		}
		s.level, s.feedURI = cache.Lossy, uri
		return nil
	}
	if scheme, _, _ := strings.Cut(uri, "://"); scheme != "postgres" && scheme != "postgresql" {
		return errors.New("the feed's address must begin with postgres://")
	}
	if s.feed, err = postgres.ParseURI(uri); err != nil {
		return fmt.Errorf("the feed: %w", err)
	}
	s.level, s.feedURI = cache.Fenced, uri
	return nil
}

// checkOptions has the worker's own rules applied to its options, so that `validate` finds what a start would. It takes the
// client keys from the outcome.
func (s *settings) checkOptions() error {
	options := maps.Clone(s.options)
	if options["masterKey"] == nil {
		options["masterKey"] = json.RawMessage(`"made at the first start"`)
	}
	b, err := json.Marshal(options)
	if err != nil {
		return fmt.Errorf("cannot encode the workers' options: %w", err)
	}
	o, _, err := config.FromJSON(b, os.Environ()...)
	if err != nil {
		return err
	}
	s.keys = request.ClientKeys{
		Client: string(o.ClientKey), JavaScript: string(o.JavascriptKey), Windows: string(o.DotNetKey), REST: string(o.RESTAPIKey),
	}
	return nil
}

// defaultServerURL gives bundled workers the address that the URLs of files begin with, unless an option does.
func (s *settings) defaultServerURL(urls []string) {
	if s.workers == nil || len(urls) == 0 || s.options["serverURL"] != nil || s.options["publicServerURL"] != nil {
		return
	}
	s.options["serverURL"], _ = json.Marshal(urls[0]) // a string always marshals
}

// identity is what makes an app the same app across config reloads; all other settings can change under it.
type identity struct {
	name, appID string
	mount       string // "" but for bundled workers
	database    string // "" for upstreams without a feed
	level       cache.Level
	deployment  deployment
	composed    bool
}

func (s *settings) identity() identity {
	id := identity{name: s.name, appID: s.appID, level: s.level, database: s.feedURI, deployment: s.deployment, composed: s.composed}
	if s.workers != nil { // others may be at several mounts
		id.mount, id.database = s.mount, s.workers.DatabaseURI
	}
	return id
}

// gatewayURI is the address of a file beside which an app keeps what belongs to its database: the database itself, or for
// one on a server a name made of its address, in the folder data.
func gatewayURI(uri string) (string, error) {
	scheme, rest, _ := strings.Cut(uri, "://")
	switch scheme {
	case "sqlite":
		return uri, nil
	case "postgres", "postgresql":
		if _, after, ok := strings.Cut(rest, "@"); ok {
			rest = after // another password, the same database
		}
		sum := sha256.Sum256([]byte(rest))
		return "sqlite://data/postgres-" + hex.EncodeToString(sum[:8]), nil
	case "mongodb", "mongodb+srv":
		return "", fmt.Errorf("bundled workers don't work on MongoDB; put the gateway in front of your existing parse-server instances instead (upstreams)")
	}
	return "", fmt.Errorf("bundled workers need a database_uri such as sqlite://path.db or postgres://user@host/database, not the scheme %q", scheme)
}

// databaseDir is the folder where an app keeps what belongs to its database.
func databaseDir(uri string) (string, error) {
	file, err := gatewayURI(uri)
	if err != nil {
		return "", err
	}
	path, _, _ := strings.Cut(strings.TrimPrefix(file, "sqlite://"), "?")
	if path == "" {
		return "", fmt.Errorf("the database_uri %q names no file", uri)
	}
	return filepath.Dir(path), nil
}

// recycling says when a bundled worker is replaced.
func (s *settings) recycling() supervisor.Limits {
	return supervisor.Limits{MaxMemory: s.workers.MaxMemory, MaxRequests: uint64(s.workers.MaxRequests)}
}

// drainTimeout bounds how long a stopping worker may finish its requests.
func (s *settings) drainTimeout() time.Duration {
	if s.workers != nil && s.workers.DrainTimeout > 0 {
		return time.Duration(s.workers.DrainTimeout)
	}
	return 30 * time.Second
}
