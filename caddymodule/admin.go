package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
)

// activeApp is the app of the running config. Admin modules are made before apps and take no config, so they find it
// here when they are asked.
var activeApp atomic.Pointer[App]

// Admin adds the gateway's routes to Caddy's admin API:
//
//	GET /parse/status    what every app's workers, cache, feed and limits are doing
type Admin struct{}

// CaddyModule returns the Caddy module information.
func (Admin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.parse", New: func() caddy.Module { return new(Admin) }}
}

// Routes returns the admin routes.
func (a Admin) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: "/parse/status", Handler: caddy.AdminHandlerFunc(a.status)}}
}

func (Admin) status(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("method %s isn't allowed; use GET", r.Method)}
	}
	s := Status{Apps: map[string]AppStatus{}}
	if app := activeApp.Load(); app != nil {
		app.mu.Lock()
		for name, g := range app.gateways {
			s.Apps[name] = g.status()
		}
		app.mu.Unlock()
	}
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(s)
}

// Status is the answer of GET /parse/status.
type Status struct {
	// Apps are the running apps by name.
	Apps map[string]AppStatus `json:"apps"`
}

var _ caddy.AdminRouter = (*Admin)(nil)
