package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/caddyserver/caddy/v2"

	"github.com/parsescale/parsescale/policies/cache"
)

// maxHottest bounds how many answers are listed, maxAdminBody the body of a request.
const (
	maxHottest   = 1000
	maxAdminBody = 1 << 20
)

// Hottest is the answer of GET /parse/cache/hottest: by app, the stored answers that were served most often.
type Hottest struct {
	Apps map[string][]cache.Hot `json:"apps"`
}

func (Admin) hottest(w http.ResponseWriter, r *http.Request) error {
	n := 20
	if text := r.URL.Query().Get("n"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 || n > maxHottest {
			return badAdminRequest("n must be between 1 and %d, not %q", maxHottest, text)
		}
	}
	apps, err := appsNamed(r.URL.Query().Get("app"))
	if err != nil {
		return err
	}
	h := Hottest{Apps: map[string][]cache.Hot{}}
	for name, g := range apps {
		h.Apps[name] = g.cache.Hottest(n)
	}
	return writeIndented(w, h)
}

// Purge is the body of POST /parse/cache/purge. What depends on the object is dropped, as if it had been written; without
// an object what depends on the class, without a class all of the app, and without an app all apps.
type Purge struct {
	App      string `json:"app"`
	Class    string `json:"class"`
	ObjectID string `json:"objectId"`
}

// Purged is its answer.
type Purged struct {
	// Entries is how many stored answers were dropped.
	Entries int `json:"entries"`
}

func (Admin) purge(w http.ResponseWriter, r *http.Request) error {
	var p Purge
	if err := readAdminBody(w, r, &p); err != nil {
		return err
	}
	if p.ObjectID != "" && p.Class == "" {
		return badAdminRequest("an objectId needs its class")
	}
	apps, err := appsNamed(p.App)
	if err != nil {
		return err
	}
	var done Purged
	for _, g := range apps {
		done.Entries += g.cache.Purge(p.Class, p.ObjectID)
	}
	return writeIndented(w, done)
}

// appsNamed returns the running app of a name, or with "" all of them.
func appsNamed(name string) (map[string]*gateway, error) {
	found := map[string]*gateway{}
	if app := activeApp.Load(); app != nil {
		app.mu.Lock()
		defer app.mu.Unlock()
		for n, g := range app.gateways {
			if name == "" || n == name {
				found[n] = g
			}
		}
	}
	if name != "" && len(found) == 0 {
		return nil, caddy.APIError{HTTPStatus: http.StatusNotFound, Err: fmt.Errorf("no app %q is running; GET /parse/status lists them", name)}
	}
	return found, nil
}

func readAdminBody(w http.ResponseWriter, r *http.Request, to any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAdminBody))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return badAdminRequest("cannot read the body: %w", err)
	}
	return nil
}

func badAdminRequest(format string, args ...any) error {
	return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: fmt.Errorf(format, args...)}
}
