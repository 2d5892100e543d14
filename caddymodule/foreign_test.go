package caddymodule

import (
	"context"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/policies/cache"
	"github.com/parsescale/parsescale/policies/feed"
)

// fakeTransport is in one state after another, and stays in the last one.
type fakeTransport struct{ states []feed.State }

func (f *fakeTransport) Run(context.Context) {}

func (f *fakeTransport) State() feed.State {
	s := f.states[0]
	if len(f.states) > 1 {
		f.states = f.states[1:]
	}
	return s
}

// TestLevelFollowsTheFeed: what isn't followed can't be promised.
func TestLevelFollowsTheFeed(t *testing.T) {
	for _, c := range []struct {
		best        cache.Level
		state       feed.State
		now, stored cache.Level
	}{
		{cache.Fenced, feed.Live, cache.Fenced, cache.Fenced},
		{cache.Fenced, feed.Lost, cache.Fenced, cache.TTL}, // nothing is served
		{cache.Fenced, feed.Refused, cache.TTL, cache.TTL},
		{cache.Lossy, feed.Live, cache.Lossy, cache.Lossy},
		{cache.Lossy, feed.Lost, cache.TTL, cache.TTL},
		{cache.Lossy, feed.Refused, cache.TTL, cache.TTL},
	} {
		g, err := newGateway(&settings{mount: "/parse", upstreams: []string{"127.0.0.1:1"}, level: c.best})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { g.pool.Close() })
		g.foreign = &foreign{level: c.best, transport: &fakeTransport{[]feed.State{c.state}}}
		if got := g.levelNow(); got != c.now {
			t.Errorf("%s, %s: the level is %s, want %s", c.best, c.state, got, c.now)
		}
		if got := g.foreign.storing(); got != c.stored {
			t.Errorf("%s, %s: answers are stored at the level %s, want %s", c.best, c.state, got, c.stored)
		}
		if s := g.status(); s.Level != c.now.String() || s.Promise != c.now.Promise() {
			t.Errorf("%s, %s: the status says %s: %s", c.best, c.state, s.Level, s.Promise)
		}
	}
}

// TestFeedIsLostWhileAFillBegins: what the loss drops, it drops at once, so a fill that begins after it must not count on
// the feed any more.
func TestFeedIsLostWhileAFillBegins(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, remoteSite(w, "cache"))
	transport := &fakeTransport{[]feed.State{feed.Live, feed.Lost}}
	gatewayPool.Range(func(_, v any) bool {
		if g := v.(*gateway); strings.Contains(g.name, w.addr()) {
			g.foreign = &foreign{level: cache.Fenced, transport: transport}
		}
		return true
	})
	s.run(t, w, []step{
		{method: "GET", path: "/parse/classes/A", cache: "fwd=miss; detail=feed-not-live", calls: 1},
		{method: "GET", path: "/parse/classes/A", cache: "stored", calls: 1}, // for as long as the level ttl allows
		{method: "GET", path: "/parse/classes/A", cache: "hit"},
	})
}
