package upstream

import (
	"sync"
	"time"
)

// watchdog ends an attempt on which nothing moves for too long.
type watchdog struct {
	limit time.Duration
	end   func()

	mu    sync.Mutex
	timer *time.Timer
	fired bool
	over  bool
}

// start begins to watch; a limit that isn't positive watches nothing.
func (d *watchdog) start(limit time.Duration, end func()) {
	d.limit, d.end = limit, end
	if limit > 0 {
		d.mu.Lock()
		d.timer = time.AfterFunc(limit, d.bark)
		d.mu.Unlock()
	}
}

func (d *watchdog) bark() {
	d.mu.Lock()
	stale := d.over
	d.fired = d.fired || !stale
	d.mu.Unlock()
	if !stale {
		d.end()
	}
}

// progress starts the time anew.
func (d *watchdog) progress() {
	d.mu.Lock()
	if d.timer != nil && !d.over && !d.fired {
		d.timer.Reset(d.limit)
	}
	d.mu.Unlock()
}

// pause stops the time until there is progress: somebody else is being waited for.
func (d *watchdog) pause() {
	d.mu.Lock()
	if d.timer != nil {
		d.timer.Stop()
	}
	d.mu.Unlock()
}

// stop ends the watch.
func (d *watchdog) stop() {
	d.mu.Lock()
	d.over = true
	if d.timer != nil {
		d.timer.Stop()
	}
	d.mu.Unlock()
}

// barked tells whether the attempt was ended.
func (d *watchdog) barked() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fired
}
