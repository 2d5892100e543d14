package caddymodule

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/zeebo/xxh3"
	"go.uber.org/zap"

	"github.com/parsescale/parsescale/policies/admission"
	"github.com/parsescale/parsescale/policies/cache"
	"github.com/parsescale/parsescale/policies/upstream"
	"github.com/parsescale/parsescale/server/change"
)

// cacheable reports whether the request may be answered from the cache, or its answer stored.
func (x *exchange) cacheable() bool {
	return x.req.Cacheable && x.route.caching && !x.req.NoStore && x.r.Method != http.MethodHead
}

// serveCached answers a read from the cache, or asks a worker once for everybody who asks the same meanwhile.
func (x *exchange) serveCached() {
	c := x.route.cache
	if x.req.OnlyIfCached {
		x.serveStored()
		return
	}
	if !x.route.serving() {
		// A worker that may have written is out of touch: nothing that is stored can be trusted until it is settled.
		x.relayOrStale(x.forward(x.r.Context()), "fwd=miss; detail=feed-not-live")
		return
	}
	e, key, everyone := x.lookUp()
	if e != nil && x.tooOld(e) {
		x.req.NoCache = true // a worker is asked for a newer one
	}
	if e != nil && !x.req.NoCache {
		x.giveBack()
		x.writeEntry(e, "hit")
		x.selfCheck(e)
		x.shareAgain(e)
		return
	}
	reading := x.reading()
	reading.Everyone = everyone
	at := x.beforeFill()
	fill, leader := c.Begin(key, reading)
	if leader && x.level() != reading.Level {
		// What is lost from now on drops the fill. What was lost before may have been so too early for it.
		fill.Abandon()
		x.relayOrStale(x.forward(x.r.Context()), "fwd=miss; detail=feed-not-live")
		return
	}
	if leader {
		x.fill(fill, at)
		return
	}
	if x.req.NoCache {
		x.relayOrStale(x.forward(x.r.Context()), "fwd=request")
		return
	}
	e, err := fill.Wait(x.r.Context())
	if errors.Is(err, admission.ErrOverloaded) {
		x.relay(answer{err: err}, "fwd=miss; collapsed")
		return
	}
	if err != nil || x.rights != nil && !x.rights.Current() { // they may have ended while it waited
		x.relayOrStale(x.forward(x.r.Context()), "fwd=miss")
		return
	}
	x.giveBack()
	x.writeEntry(e, "fwd=miss; collapsed")
}

// serveStored answers a client that wants what is stored, and nothing else.
func (x *exchange) serveStored() {
	if x.route.serving() && !x.req.NoCache {
		if e, _, _ := x.lookUp(); e != nil && !x.tooOld(e) {
			x.giveBack()
			x.writeEntry(e, "hit")
			return
		}
	}
	x.refuse(notStored, "fwd=miss; detail=only-if-cached")
}

// tooOld reports whether the client wants a newer answer. Where no write goes unheard an entry is as good as an answer given now.
func (x *exchange) tooOld(e *cache.Entry) bool {
	return x.req.MaxAge > 0 && !x.route.exact() && time.Since(e.Stored) > x.req.MaxAge
}

// fill asks a worker, stores its answer if it may be stored, and answers. The question goes on when the client leaves:
// others may be waiting for the answer.
func (x *exchange) fill(f *cache.Fill, at fillAt) {
	defer f.Abandon()
	if x.take(at, f) {
		return
	}
	verdict := "fwd=miss"
	if x.req.NoCache {
		verdict = "fwd=request"
	}
	x.filling = f
	a := x.forward(context.WithoutCancel(x.r.Context()))
	e, deps, key, ok := x.entry(a, f)
	if !ok {
		if errors.Is(a.err, admission.ErrOverloaded) {
			f.Refuse(a.err)
		}
		f.Abandon() // first: nobody else waits for this client to take its answer
		x.relayOrStale(a, verdict)
		return
	}
	if e.Shared != nil {
		e.Shared.Last.Store(at.arrivals)
	}
	if f.StoreAs(key, e, deps) {
		verdict += "; stored"
		x.share(at, a, e)
	} else {
		x.supersede(a)
	}
	x.writeEntry(e, verdict)
}

// reading tells the cache what a fill depends on before its answer is known.
func (x *exchange) reading() cache.Reading {
	return cache.Reading{
		Class: x.req.Class, ObjectID: x.req.ObjectID, Query: x.req.Query,
		Token: x.req.Session != "" && !x.route.tellsRights(), Level: x.level(),
	}
}

// level is the level at which the answer is kept. Node workers remember sessions and roles for five seconds by themselves,
// so whatever a token had a part in may be that old when it is stored, and isn't kept for longer than at the level ttl.
func (x *exchange) level() cache.Level {
	if x.req.Session != "" && !x.route.bundled() {
		return cache.TTL
	}
	if f := x.route.foreign; f != nil {
		return f.storing()
	}
	return x.route.gateway.level
}

// serveDirect passes a request on whose answer is not cached. What it may write is announced to the cache first, where
// the workers don't do that themselves.
func (x *exchange) serveDirect() {
	verdict := "fwd=bypass"
	switch {
	case x.req.Write:
		verdict = "fwd=method"
	case x.req.Why != "":
		verdict += "; detail=" + strconv.Quote(x.req.Why)
	}
	if x.req.OnlyIfCached && !x.req.Write && x.route.caching {
		x.refuse(notStored, verdict)
		return
	}
	if x.next != nil {
		x.handOn(verdict)
		return
	}
	if x.req.Write && !x.route.bundled() {
		x.relay(x.forwardWrite(), verdict)
		return
	}
	x.relay(x.forward(x.r.Context()), verdict)
}

// forwardWrite sends a write to a worker that doesn't announce it. Whatever was filled before the write may be old, and
// so may what is asked while it goes on: the cache neither serves nor stores what a change touches until that change
// is finished. This handler may not cache, but another one of the same app may.
func (x *exchange) forwardWrite() answer {
	if err := x.enter(x.r.Context()); err != nil { // before: what waits must not keep answers out of the cache
		return answer{err: err}
	}
	finish := x.route.cache.Prepare(x.changes())
	defer finish() // also if forwarding panics; a change that stays open keeps its class out of the cache for ever
	defer x.route.foreign.await()
	defer x.leave() // first: the worker is done
	return x.ask(x.r.Context())
}

// changes are what a write through this gateway may change, as far as its request tells.
func (x *exchange) changes() []change.Change {
	if x.req.Classes == nil {
		return []change.Change{{Kind: change.Purge}} // no class: everything
	}
	all := make([]change.Change, len(x.req.Classes))
	for i, class := range x.req.Classes {
		all[i] = change.Change{Class: class, Kind: change.Purge}
	}
	return all
}

// answer is what the pool made of a request: a response or an error.
type answer struct {
	*upstream.Response
	err error
	// relayed: the client has the answer already. unfit: it isn't stored.
	relayed, unfit bool
	// begun: Body is the beginning, and the next handler writes the rest.
	begun bool
}

// forward sends the request to a worker, when it is let in.
func (x *exchange) forward(ctx context.Context) answer {
	if err := x.enter(ctx); err != nil {
		return answer{err: err}
	}
	defer x.leave()
	return x.ask(ctx)
}

// ask sends the request to a worker.
func (x *exchange) ask(ctx context.Context) answer {
	if x.next != nil {
		return x.askNext(ctx)
	}
	out := &upstream.Request{
		Method: x.r.Method, URI: x.r.URL.RequestURI(), Host: x.r.Host, Header: x.r.Header, Prepare: x.prepare,
		Body: x.body, Write: x.req.Write, Worker: x.worker,
		// Cloud code may work for minutes before it says a word.
		Untimed: runsCode(x.req.Op),
		Hedge:   x.hedges(), Sort: uint8(x.req.Op),
	}
	if x.req.Class != "" {
		out.Key = xxh3.HashString(x.req.Class)
	}
	x.bound(out)
	if x.streamed {
		out.Stream, out.StreamLength = x.r.Body, x.r.ContentLength
	}
	if x.req.Write && !x.req.Once && x.route.bundled() {
		out.WriteID = x.route.writes.next()
	}
	mirrored := x.draw()
	if mirrored {
		out.Prepare = x.prepareWhole
	}
	resp, err := x.route.pool.Do(ctx, out)
	if err == nil {
		x.prompt = resp.Stream == nil && resp.Attempts == 1 && resp.Status < 500
		if resp.Status/100 == 2 {
			x.learn(answerOf(resp))
		}
	}
	if mirrored && err == nil {
		x.compare(out, resp)
	}
	return answer{Response: resp, err: err}
}

// relay answers with what a worker said, or with what became of the attempt.
func (x *exchange) relay(a answer, verdict string) {
	if a.relayed {
		return
	}
	if a.err != nil {
		x.fail(a.err, verdict)
		return
	}
	if a.Stream != nil {
		defer a.Stream.Close()
	}
	h := x.w.Header()
	for name, values := range a.Header {
		switch {
		case isInternal(name):
		case name == "Vary":
			h[name] = append(slices.Clip(h[name]), values...) // other handlers' additions may depend on more
		default:
			h[name] = values
		}
	}
	x.expose(h)
	setCacheStatus(h, verdict)
	x.answers(a.Status, sourceOf(verdict))
	if a.Stream == nil {
		if !a.begun {
			x.out()
		}
		_, _ = x.w.Write(a.Body) // the client may be gone
		return
	}
	if _, err := io.Copy(x.w, a.Stream); err != nil {
		x.handler.logger.Debug("an answer ended early", zap.Error(err))
		panic(http.ErrAbortHandler) // the client must not take the part for the whole
	}
}

// fail answers a request that no worker answered.
func (x *exchange) fail(err error, verdict string) {
	var next *nextError
	switch {
	case errors.As(err, &next):
		x.failed = next.error
		return
	case x.streamed && x.sending.Cut(): // to the server it looks as if the client had gone
		x.w.Header()["Connection"] = []string{"close"}
		x.refuse(tooSlow, "fwd=bypass; detail=body-too-slow")
		return
	case errors.Is(err, context.Canceled):
		x.answers(499, refused) // nobody is listening
		return
	case errors.Is(err, admission.ErrOverloaded):
		x.w.Header()["Retry-After"] = []string{"1"}
		x.refuse(overloaded, "fwd=bypass; detail=overloaded")
		return // a line for each would be one more thing to do
	case errors.Is(err, upstream.ErrUnread):
		x.refuseBody(err)
		return // the client's doing
	case errors.Is(err, upstream.ErrOutcomeUnknown):
		x.refuse(outcomeUnknown, verdict)
	case errors.Is(err, context.DeadlineExceeded):
		x.refuse(timedOut, verdict)
	default:
		x.w.Header()["Retry-After"] = []string{"1"}
		x.refuse(noWorker, verdict)
	}
	x.handler.logger.Warn("no worker answered", zap.String("app", x.route.name), zap.String("op", x.req.Op.String()), zap.Error(err))
}
