package caddymodule

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/parsescale/parsescale/policies/cache"
	"github.com/parsescale/parsescale/policies/cache/redisstore"
	"github.com/parsescale/parsescale/policies/feed/peers"
	"github.com/parsescale/parsescale/policies/parts"
	"github.com/parsescale/parsescale/policies/ratelimit/ledger"
	"github.com/parsescale/parsescale/policies/request"
)

// second is what the gateways of a deployment have in common of their caches: answers in Redis that one of them was given.
type second struct {
	node  *peers.Node
	store *redisstore.Store
	// secret is what keys are made with; nil while the workers change. Only gateways whose workers answer alike have the same.
	secret atomic.Pointer[[sha256.Size]byte]
}

// secondTimeout is how long a request waits for an answer of Redis, in place of a worker's.
const secondTimeout = 20 * time.Millisecond

// newSecond makes the gateway's part in it. Nothing is sent before a handler asks.
func (g *gateway) newSecond(node *peers.Node) (*second, error) {
	client, err := ledger.NewClient(g.deployment.redis, redisstore.WriteTimeout)
	if err != nil {
		return nil, err
	}
	return &second{node: node, store: redisstore.New(redisstore.Options{
		Client: client, Prefix: "parsescale:{" + g.deployment.name + ":" + g.name + "}:answer:", Timeout: secondTimeout,
	})}, nil
}

// suspend takes no answers and gives none until open is called.
func (s *second) suspend() {
	if s != nil {
		s.secret.Store(nil)
	}
}

// open begins, or goes on, with workers that have these options.
func (s *second) open(options json.RawMessage) {
	if s != nil {
		secret := secretOf(options, os.Environ(), version())
		s.secret.Store(&secret)
	}
}

// answersDependOn are how the names of variables in the environment begin that alter what workers answer.
var answersDependOn = []string{"PARSE_", "S3_", "AWS_", "GCP_", "GCS_", "GOOGLE_", "AZURE_", "STORAGE_"}

// secretOf is a hash of all that alters what workers answer: their options, their environment and their program.
func secretOf(options json.RawMessage, environment []string, version string) [sha256.Size]byte {
	h := sha256.New()
	h.Write(options)
	environment = slices.Sorted(slices.Values(environment))
	for _, v := range environment {
		if slices.ContainsFunc(answersDependOn, func(prefix string) bool { return strings.HasPrefix(v, prefix) }) {
			h.Write([]byte("\x00" + v))
		}
	}
	h.Write([]byte("\x00" + version))
	return [sha256.Size]byte(h.Sum(nil))
}

// version says what this program is built of.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return info.String()
}

// secondKey hashes a question and who shares its answer. The hash tells nobody of what.
func secondKey(secret *[sha256.Size]byte, x *exchange, s request.Scope) redisstore.Key {
	h := hmac.New(sha256.New, secret[:])
	if x.route.byHost.Load() {
		proto, host := cameBy(x.r, x.r.Header, x.behindProxy)
		for _, text := range []string{proto, host, x.r.Host} {
			h.Write(parts.AppendText(nil, text))
		}
	}
	h.Write(x.req.AppendKey(nil, s))
	return redisstore.Key(h.Sum(nil))
}

// fillAt is what has to be known from before a fill began, to tell others of its answer. The zero value: they aren't told.
type fillAt struct {
	secret   *[sha256.Size]byte
	position peers.Position
	arrivals uint64
}

// beforeFill is called before a fill begins.
func (x *exchange) beforeFill() (at fillAt) {
	s := x.route.second.Load()
	if s == nil || !x.route.sharing {
		return at
	}
	at.arrivals = s.node.Arrivals() // first: who comes now can't make anything of the position
	var ok bool
	if at.position, ok = s.node.Position(); ok {
		at.secret = s.secret.Load()
	}
	return at
}

// share gives others the answer that was stored.
func (x *exchange) share(at fillAt, a answer, e *cache.Entry) {
	rights := ""
	if x.req.Session != "" {
		if rights, _, _ = cache.ParseRights(a.Header.Get("X-Parsescale-Rights")); rights == "" {
			return
		}
	}
	x.handOver(at, x.scope(&cache.Reads{Everyone: e.Everyone}, rights), e)
}

// shareAgain gives others an answer that is served from the cache, if one of them has come since it was given last: who has just
// started can make nothing of what was given before.
func (x *exchange) shareAgain(e *cache.Entry) {
	s := x.route.second.Load()
	if s == nil || e.Shared == nil {
		return
	}
	given, arrivals := e.Shared.Last.Load(), s.node.Arrivals()
	if given >= arrivals {
		return
	}
	position, ok := s.node.SettledPosition()
	// Asked after that whether the entry is there: as long as it is, it shows what the position says.
	if !ok || !x.route.cache.Holds(x.key, e) || !e.Shared.Last.CompareAndSwap(given, arrivals) {
		return
	}
	rights := ""
	if x.rights != nil {
		rights = x.rights.Name
	}
	x.handOver(fillAt{secret: s.secret.Load(), position: position}, x.scope(&cache.Reads{Everyone: e.Everyone}, rights), e)
}

// handOver puts an answer where others find it.
func (x *exchange) handOver(at fillAt, scope request.Scope, e *cache.Entry) {
	s := x.route.second.Load()
	if s == nil || at.secret == nil || e.Timed || e.Shared == nil {
		return
	}
	kept := redisstore.Answer{
		Status: e.Status, ETag: e.ETag, Body: e.Body, Reads: e.Shared.Reads, Stored: e.Stored, Position: at.position,
	}
	for _, f := range e.Header {
		kept.Header = append(kept.Header, redisstore.Field(f))
	}
	s.store.Put(secondKey(at.secret, x, scope), kept, time.Until(e.Expires), func() bool { return s.secret.Load() == at.secret })
}

// take answers with what another gateway was given, if that is still true. It reports whether it did.
func (x *exchange) take(at fillAt, f *cache.Fill) bool {
	s := x.route.second.Load()
	if s == nil || at.secret == nil || x.req.NoCache || x.req.MaxAge > 0 || x.req.Session != "" && x.rights == nil {
		return false
	}
	own := request.Scope{}
	if x.rights != nil {
		own = request.Rights(x.rights.Name)
	}
	a, place := s.store.Get(x.r.Context(), secondKey(at.secret, x, request.Everyone()), secondKey(at.secret, x, own))
	if a == nil {
		return false
	}
	everyone := place == 0
	e, deps, ok := x.takenEntry(a, everyone)
	if !ok {
		return false
	}
	e.Shared.Last.Store(at.arrivals) // by who has put it there
	since, dropped, ok := s.node.Since(a.Position)
	if !ok {
		return false
	}
	if everyone {
		own = request.Everyone()
	}
	key := cacheKey(x.req.Key(own))
	if !f.Take(key, e, deps, since, dropped) {
		return false
	}
	if x.rights != nil && !x.rights.Current() { // they may have ended while Redis was asked
		x.relayOrStale(x.forward(x.r.Context()), "fwd=miss")
		return true
	}
	x.key = key
	x.giveBack()
	x.writeEntry(e, "hit; detail=redis")
	x.selfCheck(e)
	return true
}

// takenEntry makes an entry of an answer as it is kept, as entry does of a worker's.
func (x *exchange) takenEntry(a *redisstore.Answer, everyone bool) (e *cache.Entry, deps cache.Dependencies, ok bool) {
	reads, ok := cache.ParseReads(a.Reads)
	if !ok || reads.NoStore || !reads.Expires.IsZero() || reads.Everyone != everyone || int64(len(a.Body)) > x.route.maxEntry {
		return nil, deps, false
	}
	if deps, ok = cache.FromBody(x.req.Query, a.Body); !ok {
		return nil, deps, false
	}
	deps.Add(reads)
	now := time.Now()
	stored := a.Stored
	if stored.After(now) { // the clocks differ
		stored = now
	}
	e = &cache.Entry{Status: a.Status, Body: a.Body, ETag: a.ETag, Everyone: everyone, Stored: stored, Expires: stored.Add(x.route.ttl), Shared: &cache.Shared{Reads: a.Reads}}
	h := http.Header{}
	for _, f := range a.Header {
		name := http.CanonicalHeaderKey(f.Name)
		if isInternal(name) {
			return nil, deps, false
		}
		h.Add(name, f.Value)
		e.Header = append(e.Header, cache.Field{Name: name, Value: f.Value})
	}
	if x.route.packing && len(a.Body) >= minPacked && mayEncode(h) {
		e.Packed = new(cache.Packed)
		e.Header = withVary(e.Header)
	}
	return e, deps, true
}

// secondStatus tells of the second level; nil without one.
func (g *gateway) secondStatus() *redisstore.Stats {
	s := g.second.Load()
	if s == nil || !g.cache.Takes() {
		return nil
	}
	stats := s.store.Stats()
	return &stats
}

// Close ends it.
func (s *second) Close() error {
	s.suspend()
	return s.store.Close()
}
