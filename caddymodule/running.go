package caddymodule

import (
	"slices"
	"sync"
)

// activeApp is the app of the config in force. Admin modules are made before apps and take no config, so they find it here
// when they are asked.
var activeApp running

// running are the apps of the configs that have started and not ended, in that order. The last one is in force; there are two while a
// config takes over from another, or is taken back because something else of it couldn't start.
type running struct {
	mu   sync.Mutex
	apps []*App
}

// Load returns the app in force, nil if there is none.
func (r *running) Load() *App {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.apps) == 0 {
		return nil
	}
	return r.apps[len(r.apps)-1]
}

// begin puts an app in force.
func (r *running) begin(a *App) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.apps = append(r.apps, a)
}

// end takes an app out. If it was in force and an earlier one hasn't ended, that one is again, and returned.
func (r *running) end(a *App) (again *App) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.Index(r.apps, a)
	if i < 0 {
		return nil
	}
	r.apps = slices.Delete(r.apps, i, i+1)
	if i == len(r.apps) && i > 0 {
		return r.apps[i-1]
	}
	return nil
}
