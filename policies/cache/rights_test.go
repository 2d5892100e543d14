package cache

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/change"
)

// sessionOf is what the rights of a session depend on.
var sessionOf = []string{"_Session:s1", "_User:u1", "_Role", "_Join:users:_Role", "_Join:roles:_Role"}

// resolve has a fill tell what a token stands for.
func resolve(t testing.TB, c *Cache, token, name string) *Rights {
	t.Helper()
	f, _ := c.Begin(key("asked with "+token), get("Game", "g1"))
	defer f.Abandon()
	if !f.StoreRights(key(token), name, dependsOn(t, sessionOf...), time.Time{}, time.Time{}) {
		t.Fatal("the rights weren't stored")
	}
	r := c.Rights(key(token))
	if r == nil || r.Name != name || !r.Current() {
		t.Fatalf("the rights are %+v, want %s", r, name)
	}
	return r
}

func TestWhatEndsRights(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change change.Change
		ends   bool
	}{
		{"the session goes", remove("_Session", "s1", fields{}), true},
		{"another session goes", remove("_Session", "s2", fields{}), false},
		{"a session comes", create("_Session", "s3", fields{}), false},
		{"the user goes", remove("_User", "u1", fields{}), true},
		{"another user goes", remove("_User", "u2", fields{}), false},
		{"a role comes", create("_Role", "r1", fields{}), true},
		{"a role gets another name", update("_Role", "r1", fields{"name": "a"}, fields{"name": "b"}), true},
		{"a role gets a member", join(change.Create, "_Join:users:_Role", "r1", "u1"), true},
		{"a role loses a role", join(change.Delete, "_Join:roles:_Role", "r1", "r2"), true},
		{"an object of another class", create("Game", "g1", fields{}), false},
		{"an unknown change", change.Change{Kind: change.Purge}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := New(Options{})
			r := resolve(t, c, "token", "ann, staff")
			finish := c.Prepare([]change.Change{tt.change})
			if ended := !r.Current(); ended != tt.ends || (c.Rights(key("token")) == nil) != ended {
				t.Errorf("when prepared, they have ended: %v, want %v", ended, tt.ends)
			}
			finish()
		})
	}
}

func TestRightsEndWithTimeAndRoom(t *testing.T) {
	clock := newClock()
	c := New(Options{Clock: clock.now, Shards: 1, MaxBytes: 8 << 10})
	f, _ := c.Begin(key("q"), get("Game", "g1"))
	if f.StoreRights(key("token"), "ann", dependsOn(t, sessionOf...), clock.t, clock.t) {
		t.Error("rights were stored that had ended")
	}
	if !f.StoreRights(key("token"), "ann", dependsOn(t, sessionOf...), clock.t.Add(time.Minute), time.Time{}) {
		t.Fatal("not stored")
	}
	f.Abandon()
	if c.Stats().Sessions != 1 || c.Rights(key("token")) == nil {
		t.Fatal("not there")
	}
	clock.t = clock.t.Add(time.Minute)
	if c.Rights(key("token")) != nil || c.Stats().Sessions != 0 {
		t.Error("the session's end was not seen")
	}
	checkEmpty(t, c)

	r := resolve(t, c, "token", "ann")
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		put(t, c, name, get("Game", name))
	}
	if c.Rights(key("token")) != nil || r.Current() {
		t.Error("they weren't dropped for room")
	}
	c.Purge("", "")
	checkEmpty(t, c)
	r = resolve(t, c, "token", "ann")
	if c.Purge("", ""); r.Current() || c.Rights(key("token")) != nil {
		t.Error("they outlived a purge of everything")
	}
	checkEmpty(t, c)
}

// What a change may have touched since the question left isn't remembered, and who asked after the change doesn't take
// the answer that was given to the rights before.
func TestRightsThatChangeOnTheWay(t *testing.T) {
	member := join(change.Create, "_Join:users:_Role", "r1", "u1")
	for name, during := range map[string]func(c *Cache){
		"finished": func(c *Cache) { apply(c, member) },
		"open":     func(c *Cache) { c.Prepare([]change.Change{member}) },
	} {
		t.Run(name, func(t *testing.T) {
			c := New(Options{})
			leader, _ := c.Begin(key("q"), find(t, "Game", `{"a":1}`))
			early, _ := c.Begin(key("q"), find(t, "Game", `{"a":1}`))
			during(c)
			late, isLeader := c.Begin(key("q"), find(t, "Game", `{"a":1}`))
			if isLeader {
				t.Fatal("nothing told that the question has to do with roles, so it joins")
			}
			if leader.StoreRights(key("token"), "ann", dependsOn(t, sessionOf...), time.Time{}, time.Time{}) {
				t.Error("stored")
			}
			if leader.StoreAs(key("ann asks"), entry("old"), Dependencies{}) {
				t.Error("the answer to the rights before was stored")
			}
			if _, err := early.Wait(context.Background()); err != nil {
				t.Errorf("who asked before the change: %v", err)
			}
			if _, err := late.Wait(context.Background()); !errors.Is(err, ErrLeaderFailed) {
				t.Errorf("who asked after the change: %v, want ErrLeaderFailed", err)
			}
		})
	}
}

func TestStoreAs(t *testing.T) {
	c := New(Options{})
	f, _ := c.Begin(key("asked with a token"), find(t, "Game", `{"a":1}`))
	if !f.StoreAs(key("ann asks"), entry("ann asks"), dependsOn(t, "Game:g1")) {
		t.Fatal("not stored")
	}
	if has(c, "asked with a token") || !has(c, "ann asks") {
		t.Error("it isn't where it belongs")
	}
	if _, ok := c.GetEither(key("nowhere"), key("ann asks")); !ok {
		t.Error("not found as the second")
	}
	if _, ok := c.GetEither(key("ann asks"), key("nowhere")); !ok {
		t.Error("not found as the first")
	}
	if _, ok := c.GetEither(key("nowhere"), key("elsewhere")); ok {
		t.Error("found where nothing is")
	}
	if s := c.Stats(); s.Hits != 3 || s.Misses != 2 {
		t.Errorf("%d hits, %d misses; want 3 and 2", s.Hits, s.Misses)
	}
	apply(c, create("Game", "g2", fields{"a": 1.0}))
	if has(c, "ann asks") {
		t.Error("a change didn't find it")
	}
	checkEmpty(t, c)
}

func TestParseRights(t *testing.T) {
	const name = "0123456789abcdef"
	for _, tt := range []struct {
		header string
		ok     bool
	}{
		{name + " _Session:s1 _User:u1 _Role expires=12", true},
		{name, false}, // they depend on something
		{name + " expires=12", false},
		{"", false},
		{"short _Session:s1", false},
		{name + " no-store", false},
		{name + " for=everyone", false},
		{name + " a=b", false},
		{name + " _Session:", false},
	} {
		got, _, ok := ParseRights(tt.header)
		if ok != tt.ok || ok && got != name {
			t.Errorf("%q: %q, %v; want %v", tt.header, got, ok, tt.ok)
		}
	}
	c := New(Options{})
	f, _ := c.Begin(key("q"), get("Game", "g1"))
	if f.StoreRights(key("token"), name, Dependencies{}, time.Time{}, time.Time{}) {
		t.Error("rights that depend on nothing were stored")
	}
	f.Abandon()
	checkEmpty(t, c)
}

// Who asks what was everyone's joins one fill, and gets its answer only if it is everyone's again.
func TestEveryonesFill(t *testing.T) {
	for _, everyone := range []bool{true, false} {
		c := New(Options{})
		all, own := key("all"), key("own")
		if c.LikelyEveryones(all) {
			t.Fatal("nothing is known, and it is likely")
		}
		r := find(t, "Game", `{"a":1}`)
		f, _ := c.Begin(own, r)
		if e := entry("a"); !f.StoreAs(all, &Entry{Status: 200, Body: e.Body, Everyone: true}, Dependencies{}) || !c.LikelyEveryones(all) {
			t.Fatal("an answer of everyone's isn't remembered")
		}
		apply(c, create("Game", "g", fields{"a": 1.0}))
		r.Everyone = true
		leader, _ := c.Begin(all, r)
		follower, leads := c.Begin(all, r)
		if leads {
			t.Fatal("it doesn't join")
		}
		e := entry("b")
		e.Everyone = everyone
		under := own
		if everyone {
			under = all
		}
		if !leader.StoreAs(under, e, Dependencies{}) {
			t.Fatal("not stored")
		}
		got, err := follower.Wait(context.Background())
		if everyone && (err != nil || got != e) || !everyone && !errors.Is(err, ErrLeaderFailed) {
			t.Errorf("everyone's: %v; who joined got %v, %v", everyone, got, err)
		}
		if c.LikelyEveryones(all) != everyone {
			t.Errorf("it is remembered as everyone's: %v, want %v", !everyone, everyone)
		}
	}
}
