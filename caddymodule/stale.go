package caddymodule

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/parsescale/parsescale/policies/cache"
	"github.com/parsescale/parsescale/policies/request"
	"github.com/parsescale/parsescale/policies/upstream"
)

// relayOrStale answers with what a worker said; or, if none could answer and the site says stale_if_error, with what is
// stored, though it has expired or the feed isn't live.
func (x *exchange) relayOrStale(a answer, verdict string) {
	e := x.staleEntry(a)
	if e == nil {
		x.supersede(a)
		x.relay(a, verdict)
		return
	}
	verdict = "fwd=stale"
	if a.err == nil {
		verdict += "; fwd-status=" + strconv.Itoa(a.Status)
		if a.Stream != nil {
			_ = a.Stream.Close()
		}
	}
	if !e.Expires.IsZero() {
		verdict += "; ttl=" + strconv.Itoa(int(time.Until(e.Expires).Seconds())) // below zero once it has expired
	}
	x.writeEntry(e, verdict+"; detail=stale-if-error")
}

// supersede drops what is only kept for lack of an answer: nobody is served something older than what a worker has answered.
func (x *exchange) supersede(a answer) {
	if x.route.stale > 0 && a.err == nil && !noneAnswered(a) {
		c := x.route.cache
		keys, _ := x.sharers()
		if x.req.Session != "" && x.route.tellsRights() { // what it stands for may have expired, too
			if rights := c.StaleRights(cacheKey(x.req.SessionKey()), x.route.stale); rights != nil {
				own, all := x.req.KeysIn(request.Rights(rights.Name), request.Everyone())
				keys = append(keys, cacheKey(own), cacheKey(all))
			}
		}
		c.DropExpired(keys...)
	}
}

// noneAnswered reports whether no worker could be asked, or the one that was is out of service.
func noneAnswered(a answer) bool {
	if a.err != nil {
		return errors.Is(a.err, upstream.ErrNoWorker)
	}
	return unavailable(a.Status)
}

func unavailable(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// staleEntry returns what may be served in the place of a worker's failure; nil: nothing. What a change has dropped isn't
// there any more, so that it is never served; that the feed isn't live alone is no reason against it, because a worker
// that is out of touch commits nothing. Where another gateway may own the database, or may have written what this one hasn't
// heard of and the deployment is strict, nothing is served.
func (x *exchange) staleEntry(a answer) *cache.Entry {
	past := x.route.stale
	if past == 0 || !noneAnswered(a) || x.req.NoCache || !x.route.owner.settled() || !x.route.owner.serves() {
		return nil
	}
	c := x.route.cache
	var e *cache.Entry
	if !x.route.tellsRights() {
		e, _ = c.Stale(cacheKey(x.req.Key(x.req.Token())), past)
	} else {
		scope := request.Scope{}
		var rights *cache.Rights
		if x.req.Session != "" {
			if rights = c.StaleRights(cacheKey(x.req.SessionKey()), past); rights == nil {
				return nil
			}
			scope = request.Rights(rights.Name)
		}
		own, all := x.req.KeysIn(scope, request.Everyone())
		ok := false
		if e, ok = c.Stale(cacheKey(all), past); !ok {
			e, _ = c.Stale(cacheKey(own), past)
		}
		if rights != nil && !rights.Current() { // asked last: then they were true while the entry was there
			return nil
		}
	}
	if e != nil && x.req.MaxAge > 0 && time.Since(e.Stored) > x.req.MaxAge {
		return nil
	}
	return e
}
