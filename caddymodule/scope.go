package caddymodule

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/parsescale/parsescale/policies/cache"
	"github.com/parsescale/parsescale/policies/request"
)

// cacheKey converts the classifier's key to the cache's: the two packages don't know each other.
func cacheKey(k request.Key) cache.Key { return cache.Key{Hi: k.Hi, Lo: k.Lo, Len: k.Len} }

// seedFor is the seed of a request's cache key. Workers write addresses of files by how the client came, if nothing else is configured,
// which of those that aren't ours nobody knows; and to a next handler another host may be another app: so hosts share no answers there. Nor do several handlers
// without a name that hand requests on, for nothing says that what comes after them answers alike; only one that is alone is known
// again after a reload.
func (h *Handler) seedFor(r *http.Request) uint64 {
	if h.ours && !slices.ContainsFunc(h.routes, func(rt *route) bool { return rt.byHost.Load() }) {
		return h.seed
	}
	proto, forwarded := cameBy(r, r.Header, behindProxy(r))
	seed := h.seed ^ xxh3.HashStringSeed(strings.ToLower(r.Host), xxh3.HashString(proto))
	if forwarded != r.Host {
		seed ^= xxh3.HashString(forwarded)
	}
	if c := h.composed; c != nil && c.unnamed != nil && c.unnamed.Load() > 1 {
		seed ^= c.own
	}
	return seed
}

// tellsRights reports whether workers tell what a session token stands for, and which answers are everyone's, and
// whether that may be trusted to hold: every change of sessions, users and roles is known.
func (g *gateway) tellsRights() bool { return g.bundled() && !g.level.TokenScope() }

// lookUp returns the entry that answers the request, if there is one; else the key under which to ask a worker, together
// with whoever asks under it meanwhile, and whether these are all who ask, and not only those with equal rights.
func (x *exchange) lookUp() (e *cache.Entry, key cache.Key, everyone bool) {
	c := x.route.cache
	if !x.route.tellsRights() {
		key = cacheKey(x.req.Key(x.req.Token()))
		e, _ = c.Get(key)
		x.key = key
		return e, key, false
	}
	scope := request.Scope{}
	var rights *cache.Rights
	if x.req.Session != "" {
		if rights = c.Rights(cacheKey(x.req.SessionKey())); rights == nil {
			// Nobody knows yet whether the session is valid: only a worker can answer.
			return nil, cacheKey(x.req.Key(x.req.Token())), false
		}
		scope, x.rights = request.Rights(rights.Name), rights
	}
	o, a := x.req.KeysIn(scope, request.Everyone())
	own, all := cacheKey(o), cacheKey(a)
	e, _ = c.GetEither(all, own)
	if rights != nil && !rights.Current() {
		return nil, cacheKey(x.req.Key(x.req.Token())), false
	}
	if x.key = own; e != nil && e.Everyone {
		x.key = all
	}
	if e == nil && c.LikelyEveryones(all) {
		return nil, all, true
	}
	return e, own, false
}

// sharers are the keys under which the request's answer may be stored, its own first, and who shares what is stored under
// that, in words.
func (x *exchange) sharers() (keys []cache.Key, scope string) {
	switch own := cacheKey(x.req.Key(x.req.Token())); {
	case x.req.Session == "" && !x.route.tellsRights():
		return []cache.Key{own}, "requests to the same host with the same keys and no session"
	case !x.route.tellsRights():
		return []cache.Key{own}, "requests to the same host with the same keys and the same session token"
	case x.req.Session == "":
		own, all := x.req.KeysIn(request.Scope{}, request.Everyone())
		return []cache.Key{cacheKey(own), cacheKey(all)}, "requests with the same keys and no session, or with any where the answer is everyone's"
	default:
		if rights := x.route.cache.Rights(cacheKey(x.req.SessionKey())); rights != nil {
			own, all := x.req.KeysIn(request.Rights(rights.Name), request.Everyone())
			return []cache.Key{cacheKey(own), cacheKey(all)}, "requests with the same keys of the same user with the same roles, or of any where the answer is everyone's"
		}
		return []cache.Key{own}, "unknown until a worker was asked what the session token stands for"
	}
}

// storeKey is the key under which an answer may be shared, by what its worker says of it. It remembers what the worker
// says the session token stands for, or adds that to what the answer depends on. It returns false if the answer may not
// be stored.
func (x *exchange) storeKey(f *cache.Fill, reads *cache.Reads, rights []string, deps *cache.Dependencies) (cache.Key, bool) {
	if x.req.Session == "" || !x.route.bundled() {
		return cacheKey(x.req.Key(x.scope(reads, ""))), true
	}
	if len(rights) != 1 {
		return cache.Key{}, false
	}
	name, on, ok := cache.ParseRights(rights[0])
	if !ok {
		return cache.Key{}, false
	}
	if !x.route.tellsRights() {
		deps.Add(on)
		reads.Expires = earlier(on.Expires, reads.Expires)
		return cacheKey(x.req.Key(x.req.Token())), true
	}
	var session cache.Dependencies
	session.Add(on)
	// Not longer than an answer may be kept: workers want to see now and then that a session is in use.
	f.StoreRights(cacheKey(x.req.SessionKey()), name, session, earlier(on.Expires, time.Now().Add(x.route.ttl)), on.Expires)
	return cacheKey(x.req.Key(x.scope(reads, name))), true
}

// scope is who shares an answer; rights is the name of what the request's session token stands for, if that is known.
func (x *exchange) scope(reads *cache.Reads, rights string) request.Scope {
	switch {
	case !x.route.tellsRights():
		return x.req.Token()
	case reads.Everyone:
		return request.Everyone()
	case rights != "":
		return request.Rights(rights)
	}
	return request.Scope{}
}

// earlier is the earlier of two times, of which either may be none.
func earlier(t, u time.Time) time.Time {
	if t.IsZero() || !u.IsZero() && u.Before(t) {
		return u
	}
	return t
}
