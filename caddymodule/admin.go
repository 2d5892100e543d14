package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
)

// Admin adds the gateway's routes to Caddy's admin API:
//
//	GET  /parse/status         what every app's workers, cache, feed and limits are doing
//	GET  /parse/cache/hottest  the answers that are served most often: ?app=NAME&n=20
//	POST /parse/cache/purge    drop what depends on an object, a class or an app: {"app":…,"class":…,"objectId":…}
//	POST /parse/upgrade        start this program anew, such as another version of it, and let it take this process's place
//	POST /parse/explain        what the gateway makes of a request: {"method":…,"path":…,"headers":{…},"body":…}
type Admin struct{}

// CaddyModule returns the Caddy module information.
func (Admin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.parse", New: func() caddy.Module { return new(Admin) }}
}

// Routes returns the admin routes.
func (a Admin) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: "/parse/status", Handler: only(http.MethodGet, a.status)},
		{Pattern: "/parse/cache/hottest", Handler: only(http.MethodGet, a.hottest)},
		{Pattern: "/parse/cache/purge", Handler: only(http.MethodPost, a.purge)},
		{Pattern: "/parse/upgrade", Handler: only(http.MethodPost, a.upgrade)},
		{Pattern: "/parse/explain", Handler: only(http.MethodPost, a.explain)},
	}
}

// only refuses other methods.
func only(method string, serve caddy.AdminHandlerFunc) caddy.AdminHandler {
	return caddy.AdminHandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != method {
			w.Header().Set("Allow", method)
			return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("method %s isn't allowed; use %s", r.Method, method)}
		}
		return serve(w, r)
	})
}

func (Admin) status(w http.ResponseWriter, _ *http.Request) error {
	s := Status{Apps: map[string]AppStatus{}}
	if app := activeApp.Load(); app != nil {
		app.mu.Lock()
		for name, g := range app.gateways {
			s.Apps[name] = g.status()
		}
		app.mu.Unlock()
	}
	return writeIndented(w, s)
}

func writeIndented(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// Status is the answer of GET /parse/status.
type Status struct {
	// Apps are the running apps by name.
	Apps map[string]AppStatus `json:"apps"`
}

var _ caddy.AdminRouter = (*Admin)(nil)
