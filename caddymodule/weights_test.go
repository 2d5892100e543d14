package caddymodule

import (
	"strings"
	"testing"

	"go.uber.org/zap"
)

// TestWeights: upstreams get their shares, and keep everything else when those change.
func TestWeights(t *testing.T) {
	load := func(weights map[string]int) *settings {
		s, err := newSettings("app", &AppConfig{Upstreams: []string{"10.0.0.1:1337", "10.0.0.2:1337"}, Weights: weights}, &Handler{Mount: "/parse"})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := load(map[string]int{"10.0.0.1:1337": 99})
	g, err := newGateway(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.pool.Close() })
	for _, test := range []struct {
		weights   map[string]int
		one, two  int
		available int
	}{
		{map[string]int{"10.0.0.1:1337": 99}, 99, 1, 2},
		{map[string]int{"10.0.0.1:1337": 90, "10.0.0.2:1337": 10}, 90, 10, 2},
		{map[string]int{"10.0.0.1:1337": 0}, 0, 1, 1},
		{nil, 1, 1, 2},
	} {
		if err := g.apply(load(test.weights), zap.NewNop()); err != nil {
			t.Fatal(err)
		}
		w := g.status().Workers
		if len(w) != 2 || w[0].Share != test.one || w[1].Share != test.two || g.pool.Available() != test.available {
			t.Errorf("%v: %+v, %d available", test.weights, w, g.pool.Available())
		}
	}
	if g.identity != load(nil).identity() {
		t.Error("another weight makes another app, without the cache and limits of the one before")
	}
}

func TestBadWeights(t *testing.T) {
	for name, c := range map[string]*AppConfig{
		"none of its upstreams":    {Upstreams: []string{"a:1"}, Weights: map[string]int{"b:1": 1}},
		"from 0 to 10000, not -1":  {Upstreams: []string{"a:1"}, Weights: map[string]int{"a:1": -1}},
		"bundled workers have one": {Workers: &Workers{}, Weights: map[string]int{"a:1": 1}},
	} {
		if err := c.validate("app"); err == nil || !strings.Contains(err.Error(), name) && name != "bundled workers have one" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDifferentWeights: the same upstreams are one app, so they can't have two sets of weights.
func TestDifferentWeights(t *testing.T) {
	a := &App{appState: &appState{gateways: map[string]*gateway{}, settings: map[string]*settings{}}}
	t.Cleanup(func() { a.Cleanup() })
	site := func(mount string, weight int) *Handler {
		return &Handler{Mount: mount, Upstreams: []string{"10.0.0.1:1"}, Weights: map[string]int{"10.0.0.1:1": weight}}
	}
	if _, err := a.gatewaysFor(site("/a", 5)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.gatewaysFor(site("/b", 5)); err != nil {
		t.Errorf("the same weights: %v", err)
	}
	if _, err := a.gatewaysFor(site("/c", 6)); err == nil || !strings.Contains(err.Error(), "other weights") {
		t.Errorf("other weights: %v", err)
	}
	other := site("/d", 5)
	other.Balance = "sticky"
	if _, err := a.gatewaysFor(other); err == nil || !strings.Contains(err.Error(), "balanced otherwise") {
		t.Errorf("another policy: %v", err)
	}
}
