package caddymodule

import (
	"errors"
	"log/slog"
	"maps"
	"sync"

	"github.com/parsescale/parsescale/policies/discovery"
	"github.com/parsescale/parsescale/policies/upstream"
)

// remotes are the upstreams of a pool: those that are named, and those that DNS tells of.
type remotes struct {
	pool *upstream.Pool
	// resolver asks the DNS; nil: the system does.
	resolver discovery.Resolver

	changing sync.Mutex // held while watch is replaced
	watch    *discovery.Watch
	watching map[string]discovery.Source // what watch looks up

	mu       sync.Mutex
	fixed    []string // scheme://host:port
	weights  map[string]int
	found    map[string][]discovery.Found // by the address of the source
	watched  map[string]discovery.Source
	failures func(error)
}

// apply makes the upstreams those of a config. What DNS has told of is kept as long as its source is.
func (r *remotes) apply(upstreams []string, weights map[string]int, log *slog.Logger) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	var fixed []string
	sources := map[string]discovery.Source{}
	for _, u := range upstreams {
		if !discovery.IsSource(u) {
			fixed = append(fixed, u)
			continue
		}
		source, err := discovery.Parse(u)
		if err != nil {
			return err
		}
		sources[u] = source
	}
	r.mu.Lock()
	r.fixed, r.weights, r.watched = fixed, weights, sources
	maps.DeleteFunc(r.found, func(address string, _ []discovery.Found) bool { _, kept := sources[address]; return !kept })
	r.failures = func(err error) { log.Error("cannot use the workers that were found", "error", err) }
	err := r.update()
	r.mu.Unlock()
	if err != nil || maps.Equal(sources, r.watching) {
		return err
	}
	if r.watch != nil {
		r.watch.Stop()
		r.watch = nil
	}
	r.watching = sources
	if len(sources) > 0 {
		r.watch = discovery.Start(discovery.Options{Sources: sources, Resolver: r.resolver, Apply: r.tell, Logger: log})
	}
	return nil
}

// tell takes what DNS says.
func (r *remotes) tell(found map[string][]discovery.Found) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.found == nil {
		r.found = map[string][]discovery.Found{}
	}
	maps.Copy(r.found, found)
	if err := r.update(); err != nil && !errors.Is(err, upstream.ErrClosed) {
		r.failures(err)
	}
}

// update makes the pool's members what is known. mu is held.
func (r *remotes) update() error {
	var targets []upstream.Target
	there := map[string]bool{}
	add := func(address string, share int) {
		there[address] = true
		if share == 0 {
			share = -1
		}
		targets = append(targets, upstream.Target{Name: address, Address: address, Kind: upstream.Remote, Share: share})
	}
	weight := func(u string) int {
		if w, ok := r.weights[u]; ok {
			return w
		}
		return 1
	}
	for _, u := range r.fixed {
		add(u, weight(u))
	}
	for source := range r.watched {
		for _, f := range r.found[source] {
			if address := "http://" + f.Address; !there[address] { // else it is named, or told of by two names
				add(address, weight(source)*f.Share)
			}
		}
	}
	return r.pool.Update(targets)
}

// stop ends the look-ups.
func (r *remotes) stop() {
	r.changing.Lock()
	defer r.changing.Unlock()
	if r.watch != nil {
		r.watch.Stop()
		r.watch = nil
	}
}
