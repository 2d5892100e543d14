package discovery

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"reflect"
	"sync"
	"time"
)

// Options say what to look up. Sources and Apply are required.
type Options struct {
	// Sources are the names, by the addresses that they were given as.
	Sources map[string]Source
	// Apply is told what was found, by the sources' addresses: once when Start returns, and then whenever it is something else. A
	// source that was never found is not in it; one that can't be found any more, or has no addresses, stays as it was, for
	// workers that are gone are found out by their health.
	Apply func(found map[string][]Found)
	// Resolver asks the DNS. Default: the system's.
	Resolver Resolver
	// Interval is the time between two look-ups (default 10 s). While a source was never found it is asked ten times as often.
	Interval time.Duration
	// Timeout bounds a look-up (default 5 s).
	Timeout time.Duration
	// Logger gets failures, each as it begins and ends. Default: nothing is logged.
	Logger *slog.Logger
}

// Watch looks names up again and again.
type Watch struct {
	o       Options
	stop    context.CancelFunc
	running sync.WaitGroup
	found   map[string][]Found
	failing map[string]bool
}

// Start looks all names up once, and goes on in the background until Stop.
func Start(o Options) *Watch {
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Interval <= 0 {
		o.Interval = 10 * time.Second
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	w := &Watch{o: o, found: map[string][]Found{}, failing: map[string]bool{}}
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	w.look(ctx)
	o.Apply(maps.Clone(w.found))
	w.running.Go(func() { w.run(ctx) })
	return w
}

// Stop ends it. Apply isn't called any more once it has returned.
func (w *Watch) Stop() {
	w.stop()
	w.running.Wait()
}

func (w *Watch) run(ctx context.Context) {
	for {
		pause := w.o.Interval
		if len(w.found) < len(w.o.Sources) {
			pause /= 10
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		before := maps.Clone(w.found)
		w.look(ctx)
		if ctx.Err() == nil && !reflect.DeepEqual(before, w.found) {
			w.o.Apply(maps.Clone(w.found))
		}
	}
}

// look asks for all names at the same time.
func (w *Watch) look(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, w.o.Timeout)
	defer cancel()
	var mu sync.Mutex
	var asking sync.WaitGroup
	for address, source := range w.o.Sources {
		asking.Go(func() {
			found, err := source.Lookup(limited, w.o.Resolver)
			if ctx.Err() != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				w.found[address] = found
			}
			if failing := err != nil; failing != w.failing[address] {
				w.failing[address] = failing
				if failing {
					w.o.Logger.Warn("workers can't be looked up; those that are known stay", "address", address, "known", len(w.found[address]), "error", err)
				} else {
					w.o.Logger.Info("workers can be looked up again", "address", address, "found", len(found))
				}
			}
		})
	}
	asking.Wait()
}
