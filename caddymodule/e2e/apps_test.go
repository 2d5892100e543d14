package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// TestTwoApps runs two apps in one gateway, on one mount and on two sites: nothing is shared between them.
func TestTwoApps(t *testing.T) {
	g := startGateway(t, `{
	admin ADMIN
	parse {
		app shop {
			workers 1 {
				app_id shopApp
				master_key "the master key of the shop"
				database_uri sqlite://data/shop.db
				option allowClientClassCreation true
			}
		}
		app blog {
			workers 1 {
				app_id blogApp
				master_key "the master key of the blog"
				database_uri sqlite://data/blog.db
				option allowClientClassCreation true
			}
		}
	}
}
ADDRESS {
	parse /parse/*
}
`)
	shop := newClient(t, g.url()).with("X-Parse-Application-Id", "shopApp", "X-Parse-REST-API-Key", "")
	blog := shop.with("X-Parse-Application-Id", "blogApp")
	find := "/classes/Thing"
	thing := shop.create(t, "Thing", `{"of":"shop"}`)
	if a := shop.stored(t, find); !strings.Contains(a.body, thing) {
		t.Errorf("the shop: %s %s", a.verdict(), a.body)
	}
	for range 2 {
		if a := blog.must(t, "GET", find, "", nil); strings.Contains(a.body, thing) {
			t.Errorf("the blog sees the shop's object: %s %s", a.verdict(), a.body)
		}
	}
	blog.create(t, "Thing", `{"of":"blog"}`)
	if a := shop.must(t, "GET", find, "", nil); strings.Contains(a.body, "blog") || a.verdict() != hit {
		t.Errorf("a write to the blog touched the shop: %s %s", a.verdict(), a.body)
	}
	for name, c := range map[string]*client{
		"the blog's master key on the shop": shop.with("X-Parse-Master-Key", "the master key of the blog"),
		"an app that isn't there":           shop.with("X-Parse-Application-Id", "otherApp"),
		"no application id":                 shop.with("X-Parse-Application-Id", ""),
	} {
		a, err := c.do("GET", "/classes/_Session", "")
		if err != nil || a.status != http.StatusForbidden && a.status != http.StatusBadRequest {
			t.Errorf("%s: status %d, %v: %s", name, a.status, err, a.body)
		}
	}
	s, err := g.status()
	if err != nil || len(s.Apps) != 2 || s.Apps["shop"].Level != "exact" || s.Apps["blog"].Level != "exact" {
		t.Errorf("status %+v, %v", s, err)
	}
}
