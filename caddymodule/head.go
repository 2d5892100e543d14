package caddymodule

import "net/http"

// isHead reports whether the client asks for the head of an answer that a GET may get from the cache.
func (x *exchange) isHead() bool {
	return x.r.Method == http.MethodHead && x.req.Cacheable && x.route.caching && !x.req.NoStore
}

// serveHead answers a HEAD from what a GET has stored, or asks a worker; what that says is no answer to store.
func (x *exchange) serveHead() {
	if x.req.OnlyIfCached {
		x.serveStored()
		return
	}
	if x.route.serving() && !x.req.NoCache {
		if e, _, _ := x.lookUp(); e != nil && !x.tooOld(e) {
			x.giveBack()
			x.writeEntry(e, "hit")
			return
		}
	}
	x.relayOrStale(x.forward(x.r.Context()), "fwd=miss")
}
