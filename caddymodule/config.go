package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/parsescale/parsescale/policies/balance"
)

// AppConfig is one Parse app: who its workers are. Exactly one of workers and upstreams is set.
type AppConfig struct {
	// Workers are bundled workers, run by this gateway as child processes.
	Workers *Workers `json:"workers,omitempty"`
	// Upstreams are existing Parse workers (Node parse-server or `parsescale parse-server`), as host:port or as
	// http:// or https:// addresses without a path; or dns://host:port for a worker at each address of a host, or
	// srv://_service._proto.name for those that SRV records tell of, both looked up every 10 s. The request path is passed on
	// unchanged.
	Upstreams []string `json:"upstreams,omitempty"`
	// Weights are upstreams' shares of the requests, from 0 (none) to 10000, against 1 for each upstream that isn't named here.
	// Among upstreams of the same weight the load decides. Default: 1 for all.
	Weights map[string]int `json:"weights,omitempty"`
	// Balance says how a worker is chosen among those of the same weight: peak_ewma (the better of two drawn at random, by latency and
	// requests under way), least_request (the same, by requests under way alone), round_robin, or sticky (the same worker for
	// the same class, as long as it has no more than its share and a quarter under way). Default: peak_ewma.
	Balance string `json:"balance,omitempty"`
	// AppID is the application id of an app behind upstreams. It is needed only where several apps share one mount:
	// the gateway then chooses the app by the application id of the request.
	AppID string `json:"app_id,omitempty"`
	// Feed tells how the gateway learns of what upstreams, and others, write to the database. Default: not at all.
	Feed *FeedConfig `json:"feed,omitempty"`
	// HealthURI is the path and query that active health checks request of upstreams. Default: the mount followed by
	// /health. Bundled workers are always checked at their own /health.
	HealthURI string `json:"health_uri,omitempty"`
	// Autoscale tunes how the number of workers follows the load. Default: bundled workers follow it if workers has a max;
	// for upstreams nothing is said.
	Autoscale *AutoscaleConfig `json:"autoscale,omitempty"`
}

// FeedConfig tells where the gateway learns of writes that don't pass it.
type FeedConfig struct {
	// Postgres is the address of the PostgreSQL server that the upstreams use, past any pooler, as parse-server takes it:
	// postgres://user:password@host/database. The gateway reads the server's log by logical decoding. The server needs
	// wal_level = logical; the user needs the attribute REPLICATION, the right CREATE on the database, and to own the app's
	// tables. Placeholders such as {env.NAME} and {file./path} are replaced. While the log can't be read, the cache falls to
	// the level ttl or isn't used. Default: none.
	Postgres string `json:"postgres,omitempty"`
	// LiveQuery is instead the address of the Redis server that the upstreams publish their LiveQuery messages to, such as
	// redis://:password@host:6379 (parse-server's liveQuery.redisURL). The gateway hears of saves and deletions in the classes
	// that liveQuery.classNames lists. Messages can be lost, so answers live for 5 seconds at most. Placeholders are replaced.
	// Default: none.
	LiveQuery string `json:"livequery,omitempty"`
}

// Workers says how many bundled workers an app has and how they are set up.
type Workers struct {
	// Count is the number of worker processes; if there is a max, the least. Default: 2.
	Count int `json:"count,omitempty"`
	// Max is the greatest number of worker processes: there are as many as the load needs. Default: always Count.
	Max int `json:"max,omitempty"`
	// AppID is parse-server's option appId. Default: myAppId.
	AppID string `json:"app_id,omitempty"`
	// MasterKey is parse-server's option masterKey. Default: made at the first start and kept in the file master.key
	// beside the database, readable by the owner only. Placeholders such as {env.NAME} and {file./path} are replaced.
	MasterKey string `json:"master_key,omitempty"`
	// RestAPIKey is parse-server's option restAPIKey. Default: none. Placeholders are replaced.
	RestAPIKey string `json:"rest_api_key,omitempty"`
	// JavaScriptKey is parse-server's option javascriptKey. Default: none. Placeholders are replaced.
	JavaScriptKey string `json:"javascript_key,omitempty"`
	// DatabaseURI names the database: sqlite://relative/path.db, sqlite:///absolute/path.db or postgres://user@host/database.
	// Default: sqlite://data/parse.db. Placeholders are replaced.
	DatabaseURI string `json:"database_uri,omitempty"`
	// Exclusive says that nobody but the workers of this gateway writes to a PostgreSQL database: no Node parse-server, no
	// worker that runs alone, no SQL console. Answers are then cached at the level exact. Another gateway that says so, and a
	// bundled worker of anybody else, is refused while this gateway runs. An SQLite database is exclusive anyway.
	// Default: false.
	Exclusive bool `json:"exclusive,omitempty"`
	// Consistency lets several gateways, all with the same setting and the same redis, share an exclusive database, and says what
	// reads through one of them show of writes through another: bounded (after at most 5 seconds, usually a few milliseconds) or
	// strict (at once: a write waits until all of them have applied it). Changing it takes a restart. Default: none; the database
	// belongs to one gateway.
	Consistency string `json:"consistency,omitempty"`
	// Options are further options of parse-server by their own names, as JSON. Default: none.
	Options map[string]json.RawMessage `json:"options,omitempty"`
	// MaxMemory is the resident memory, in bytes, beyond which a worker is replaced by a new one. Workers differ in it by up to
	// a tenth, downwards, so that not all are due at once. Only Linux tells what a worker uses. Default: any.
	MaxMemory int64 `json:"max_memory,omitempty"`
	// MaxRequests is after how many requests a worker is replaced, less up to a tenth. Default: never.
	MaxRequests int `json:"max_requests,omitempty"`
	// DrainTimeout bounds how long a worker that is told to stop may finish its requests. Default: 30s.
	DrainTimeout caddy.Duration `json:"drain_timeout,omitempty"`
}

// The defaults of a bundled app.
const (
	defaultWorkers     = 2
	defaultAppID       = "myAppId"
	defaultDatabaseURI = "sqlite://data/parse.db"
	maxWorkers         = 256
)

func (c *AppConfig) validate(name string) error {
	switch {
	case c.Workers == nil && len(c.Upstreams) == 0:
		return fmt.Errorf("parse app %q has neither workers nor upstreams: give it one of them", name)
	case c.Workers != nil && len(c.Upstreams) > 0:
		return fmt.Errorf("parse app %q has both workers and upstreams: use one of them", name)
	case c.Workers != nil && (c.Workers.Count < 0 || c.Workers.Count > maxWorkers):
		return fmt.Errorf("parse app %q: workers must be between 1 and %d, not %d", name, maxWorkers, c.Workers.Count)
	case c.Workers != nil && (c.Workers.MaxMemory < 0 || c.Workers.MaxRequests < 0):
		return fmt.Errorf("parse app %q: max_memory and max_requests must not be negative", name)
	}
	switch {
	case c.Feed != nil && c.Workers != nil:
		return fmt.Errorf("parse app %q: a feed is for upstreams; bundled workers tell the gateway of their writes", name)
	case c.Feed != nil && (c.Feed.Postgres == "") == (c.Feed.LiveQuery == ""):
		return fmt.Errorf("parse app %q: a feed has one address, of PostgreSQL or of Redis", name)
	}
	if err := checkUpstreams(c.Upstreams); err != nil {
		return fmt.Errorf("parse app %q: %w", name, err)
	}
	if err := c.checkOwners(); err != nil {
		return fmt.Errorf("parse app %q: %w", name, err)
	}
	if err := checkHealthURI(c.HealthURI); err != nil {
		return fmt.Errorf("parse app %q: %w", name, err)
	}
	if _, err := c.scaling(); err != nil {
		return fmt.Errorf("parse app %q: %w", name, err)
	}
	if _, err := balance.ParsePolicy(c.Balance); err != nil {
		return fmt.Errorf("parse app %q: %w", name, err)
	}
	for u, weight := range c.Weights {
		if err := checkWeight(weight); err != nil {
			return fmt.Errorf("parse app %q: upstream %s: %w", name, u, err)
		}
		if !slices.Contains(c.Upstreams, u) {
			return fmt.Errorf("parse app %q: a weight is given for %s, which is none of its upstreams", name, u)
		}
	}
	return nil
}

// checkOwners finds what is said of an app and belongs to its workers.
func (c *AppConfig) checkOwners() error {
	switch {
	case c.Workers != nil && c.AppID != "":
		return errors.New("the app_id of bundled workers belongs into the block of workers; beside it, it is for upstreams")
	case c.Workers != nil && c.HealthURI != "":
		return errors.New("health_uri is for upstreams; bundled workers are always checked at their own /health")
	}
	return nil
}

// resolve returns a copy with the defaults filled in and the placeholders replaced.
func (w *Workers) resolve() (*Workers, error) {
	c := *w
	repl := caddy.NewReplacer()
	for _, f := range []struct {
		name     string
		value    *string
		fallback string
	}{
		{"app_id", &c.AppID, defaultAppID},
		{"master_key", &c.MasterKey, ""},
		{"rest_api_key", &c.RestAPIKey, ""},
		{"javascript_key", &c.JavaScriptKey, ""},
		{"database_uri", &c.DatabaseURI, defaultDatabaseURI},
	} {
		v, err := repl.ReplaceOrErr(*f.value, false, true)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", f.name, err)
		}
		if v == "" {
			v = f.fallback
		}
		*f.value = v
	}
	if c.Count == 0 {
		c.Count = defaultWorkers
	}
	return &c, nil
}

// serverOptions are the options a bundled worker is started with, by parse-server's names.
func (w *Workers) serverOptions(mount string) (map[string]json.RawMessage, error) {
	o := map[string]json.RawMessage{}
	for name, v := range w.Options {
		o[name] = v
	}
	for name, v := range map[string]string{
		"appId": w.AppID, "masterKey": w.MasterKey, "restAPIKey": w.RestAPIKey, "javascriptKey": w.JavaScriptKey,
		"databaseURI": w.DatabaseURI, "mountPath": mount,
	} {
		if v == "" {
			continue
		}
		if _, twice := w.Options[name]; twice {
			return nil, fmt.Errorf("the option %s is given twice: by its directive and by option", name)
		}
		b, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("cannot encode the option %s: %w", name, err)
		}
		o[name] = b
	}
	return o, nil
}
