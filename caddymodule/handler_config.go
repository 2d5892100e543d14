package caddymodule

import (
	"errors"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// Handler is the gateway in front of the workers of a Parse app. It is terminal for requests below its mount: they are
// classified, rate limited, answered from the cache or passed to a worker. Requests outside the mount go to the next
// handler.
type Handler struct {
	// App names the app of the global option whose workers serve this mount. Default: the only app that is defined;
	// where several are, the application id of each request decides.
	App string `json:"app,omitempty"`
	// Upstreams are existing Parse workers as host:port, for a site that needs no global option.
	Upstreams []string `json:"upstreams,omitempty"`
	// Weights are upstreams' shares of the requests, from 0 (none) to 10000, against 1 for each upstream that isn't named here.
	// Among upstreams of the same weight the load decides. Default: 1 for all.
	Weights map[string]int `json:"weights,omitempty"`
	// Balance says how one of the handler's own upstreams is chosen among those of the same weight: peak_ewma (the better of two drawn at random, by latency and
	// requests under way), least_request (the same, by requests under way alone), round_robin, or sticky (the same worker for
	// the same class, as long as it has no more than its share and a quarter under way). Default: peak_ewma; of an app
	// in the global option what is said there.
	Balance string `json:"balance,omitempty"`
	// Feed tells how the gateway learns of what is written to the database of Upstreams. Default: not at all. An app of the
	// global option has a setting of its own for it.
	Feed *FeedConfig `json:"feed,omitempty"`
	// Mount is the path below which the Parse API lives. Default: the path of the directive's matcher, else /parse.
	Mount string `json:"mount,omitempty"`
	// MaxBody is the largest request body in bytes, files included; a larger one is refused with 413.
	// Default: 20971520 (20 MB, as parse-server's maxUploadSize).
	MaxBody int64 `json:"max_body,omitempty"`
	// Cache configures the response cache. Default: on for bundled workers on SQLite, off for others.
	Cache *CacheConfig `json:"cache,omitempty"`
	// Mirror sends a share of the reads to other workers too, and compares the answers. Default: none.
	Mirror *MirrorConfig `json:"mirror,omitempty"`
	// RateLimit bounds the requests of an app or a client. Default: no limit.
	RateLimit *RateLimitConfig `json:"rate_limit,omitempty"`
	// Pool tunes how the app's workers are asked, and when one of them is left alone. Default: as its settings say.
	Pool *PoolConfig `json:"pool,omitempty"`
	// Admission bounds the requests that the app's workers get at once. Default: on.
	Admission *AdmissionConfig `json:"admission,omitempty"`

	runtime
}

// checkOwners finds what is said of upstreams where there are none.
func (h *Handler) checkOwners() error {
	listed := len(h.Upstreams) > 0
	switch {
	case h.App != "" && listed:
		return errors.New("parse takes either upstreams or app, not both")
	case h.Feed != nil && !listed:
		return errors.New("feed belongs to upstreams that the directive lists; give that of an app in the global option parse")
	case h.Balance != "" && !listed:
		return errors.New("balance is for upstreams after the directive; for an app it belongs into the global option")
	case len(h.Weights) > 0 && !listed:
		return errors.New("weight is for upstreams after the directive; for an app it belongs into the global option")
	}
	return nil
}

// CacheConfig configures the response cache of an app.
type CacheConfig struct {
	// Off turns the cache off. Default: false.
	Off bool `json:"off,omitempty"`
	// TTL is how long an answer may be served at most. A write that touches it ends it sooner. Default: 10m for bundled
	// workers and for upstreams with feed postgres, 5s for other upstreams, where more than 5s is refused.
	TTL caddy.Duration `json:"ttl,omitempty"`
	// MaxSize bounds the memory of the app's cached answers and their index, in bytes; of several sites the largest one holds.
	// Default: 268435456 (256 MB).
	MaxSize int64 `json:"max_size,omitempty"`
	// MaxObject is the largest answer that is stored, in bytes. Default: 1048576 (1 MB).
	MaxObject int64 `json:"max_object,omitempty"`
	// StaleIfError is for how long after its TTL an answer may still be served while no worker can answer; also one of any age
	// that is out of service because a worker has died. Answers that a write has dropped aren't served, nor those of a session
	// or role that has ended. Default: 0, off.
	StaleIfError caddy.Duration `json:"stale_if_error,omitempty"`
	// PrecompressOff keeps answers of 1 kB or more from being stored compressed, too. Default: false; an answer is compressed, by
	// zstd or gzip, when a client that accepts that gets it from the cache for the second time.
	PrecompressOff bool `json:"precompress_off,omitempty"`
	// Redis shares answers among the gateways of a deployment, by the redis of the global option: what one of them was given the
	// others take, as long as they can prove that nothing has touched it since. Only for bundled workers with consistency; the
	// answers are kept there as they are, compressed. Default: false.
	Redis bool `json:"redis,omitempty"`
	// SelfCheck is the share of hits, between 0 and 1, after which a worker is asked the same to compare the answers; never
	// while all workers are busy. What differs is counted, logged and dropped. Default: 0, off.
	SelfCheck float64 `json:"self_check,omitempty"`
}

// RateLimitConfig bounds requests by the generic cell rate algorithm; what is over is refused with 429. A request is charged
// to all rates that concern it, or to none; a batch costs what it holds, and an unreadable one is charged to every rate.
type RateLimitConfig struct {
	// Key says whose requests the default rate counts together: app (default), ip (the client's address, of IPv6 its /64
	// network), app_ip, user (whose sessions count together), session or api_key. A session token or key that no worker has accepted yet counts as app_ip, an
	// application id that none has accepted yet as ip.
	Key string `json:"key,omitempty"`
	// Rate is how many requests are allowed in a window and how many at once: "20/10s burst 20". Default: no rate but
	// those of zones.
	Rate string `json:"default,omitempty"`
	// Zones are further rates, for some requests only.
	Zones []RateZone `json:"zones,omitempty"`
	// HitCost is the share of its cost that a request keeps paying when it is answered from the cache, above 0 and at most 1.
	// Default (and 0): 1.
	HitCost float64 `json:"hit_cost,omitempty"`
	// DryRun lets everything pass, and counts what would be refused. Default: false.
	DryRun bool `json:"dry_run,omitempty"`
	// Redis says how gateways share their counts in the Redis of the global option parse: lease (a gateway asks in the background,
	// and the gateways together may let pass up to one burst more than the rate says), exact (it asks before each request, all
	// rates at once) or off (each counts by itself). Default: lease where there is a Redis, else off.
	Redis string `json:"redis,omitempty"`
	// OnRedisFailure says what happens while Redis is gone or too slow: local (each gateway counts by itself), open (all pass) or
	// closed (none passes). Default: local.
	OnRedisFailure string `json:"on_redis_failure,omitempty"`
	// MaxKeys bounds how many keys each rate remembers; the least recently used goes first. Default: 100000.
	MaxKeys int `json:"max_keys,omitempty"`
}

// RateZone is a rate for some requests.
type RateZone struct {
	// Name is the zone's name in metrics and in the RateLimit headers: 1 to 64 letters, digits, _, . and -.
	Name string `json:"name"`
	// Key says whose requests are counted together, as in RateLimitConfig. Default: app.
	Key string `json:"key,omitempty"`
	// Rate is the zone's rate: "5/1m burst 5".
	Rate string `json:"rate"`
	// Ops are the operations that are charged: read, write, login, function, aggregate, push, files, or single ones such as
	// create. Default: all.
	Ops []string `json:"ops,omitempty"`
	// Classes are the classes that are charged. Default: all.
	Classes []string `json:"classes,omitempty"`
	// Functions are the functions and jobs that are charged, by name. Default: all.
	Functions []string `json:"functions,omitempty"`
	// DryRun lets pass what the zone would refuse, and counts it. Default: false.
	DryRun bool `json:"dry_run,omitempty"`
}

// Composed is what handlers have in common that hand requests on to others, which answer them.
type Composed struct {
	// Name is the name under which what is counted and stored is kept, in metrics and in the status as well. Handlers of one
	// name have it in common, so they belong in front of the same workers, which answer alike whichever asks. Default: routes; but
	// of several without a name each has stored answers of its own, which only a write through any of them drops.
	Name string `json:"name,omitempty"`
	// Mount is the path below which the Parse API lives; other requests pass. Default: the path of the directive's matcher,
	// else /parse.
	Mount string `json:"mount,omitempty"`
	// MaxBatch is the largest body of a batch in bytes; a larger one is refused with 413, for nobody knows what it holds.
	// Default: 20971520 (20 MB, as parse-server's maxUploadSize).
	MaxBatch int64 `json:"max_batch,omitempty"`

	handler *Handler
}

// AdmissionConfig bounds the requests that the workers of an app get at once, by how fast they answer. What is beyond waits
// for a moment, or is refused with 429: functions, aggregates and files first, then reads, then writes and log-ins, last
// health checks and requests with the master key. Answers from the cache don't count.
type AdmissionConfig struct {
	// Off lets everything through at once. Default: false.
	Off bool `json:"off,omitempty"`
	// Initial is the limit that an app starts with, in requests per worker that is there when the first request comes. Default:
	// 100, within Min and Max.
	Initial int `json:"initial,omitempty"`
	// Min and Max are the limit's bounds, in requests per worker. Default: 40 and 1000.
	Min int `json:"min,omitempty"`
	Max int `json:"max,omitempty"`
	// Queue is how many requests may wait, of all workers together. Default: 256.
	Queue int `json:"queue,omitempty"`
	// NoQueue refuses at once what is beyond the limit. Default: false.
	NoQueue bool `json:"no_queue,omitempty"`
	// MaxWait is how long a request may wait. Default: 250ms.
	MaxWait caddy.Duration `json:"max_wait,omitempty"`
}

// The defaults of a handler.
const (
	defaultMount     = "/parse"
	defaultMaxBody   = 20 << 20
	defaultExactTTL  = 10 * time.Minute
	defaultRemoteTTL = 5 * time.Second
	defaultCacheSize = 256 << 20
	defaultMaxObject = 1 << 20
	defaultMaxKeys   = 100_000
)
