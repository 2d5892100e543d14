package rest

import (
	"strings"
	"testing"
)

func testRouter() *router {
	a := &API{}
	a.routes()
	return &a.router
}

func TestRoutes(t *testing.T) {
	rt := testRouter()
	for _, test := range []struct {
		method, path string
		found        bool
		params       params
	}{
		{"GET", "/classes/A", true, params{"A"}},
		{"GET", "/CLASSES/A/", true, params{"A"}},
		{"HEAD", "/classes/A", true, params{"A"}},
		{"GET", "/classes/A/x%2Fy", true, params{"A", "x/y"}},
		{"GET", "/classes/_Join:users:_Role", true, params{"_Join:users:_Role"}},
		{"GET", "/classes/A//", false, params{}},
		{"GET", "/classes//A", false, params{}},
		{"GET", "/classes/A/x/y", false, params{}},
		{"GET", "/classes", false, params{}},
		{"GET", "/", false, params{}},
		{"GET", "", false, params{}},
		{"PATCH", "/classes/A", false, params{}},
		{"PUT", "/classes/A", false, params{}},
		{"get", "/classes/A", false, params{}},
		{"GET", "/cla%73ses/A", false, params{}},
		{"GET", "/claſſes/A", false, params{}},
		{"GET", "/users/me", true, params{}},
		{"GET", "/users/you", true, params{"you"}},
		{"GET", "/Users/ME", true, params{}},
		{"POST", "/batch", true, params{}},
		{"GET", "/batch", false, params{}},
		{"GET", "/roles/x", true, params{"x"}},
		{"POST", "/loginas", true, params{}},
		{"GET", "/serverInfo", true, params{}},
		{"DELETE", "/installations/x", true, params{"x"}},
	} {
		r, p, err := rt.match(test.method, test.path)
		if err != nil || (r != nil) != test.found || p != test.params {
			t.Errorf("%s %s: found %v, parameters %q, %v", test.method, test.path, r != nil, p, err)
		}
	}
	for _, path := range []string{"/classes/%ff", "/classes/%zz"} {
		if _, _, err := rt.match("GET", path); err == nil {
			t.Errorf("%s can be decoded", path)
		}
	}
}

func FuzzRouter(f *testing.F) {
	for _, s := range []string{"/classes/A", "/classes/A/%2e%2e", "//", "/users/me/", "/batch", "/%"} {
		f.Add("GET", s)
	}
	rt := testRouter()
	f.Fuzz(func(t *testing.T, method, path string) {
		r, p, err := rt.match(method, path)
		if r == nil || err != nil {
			return
		}
		if n := strings.Count(strings.Trim(path, "/"), "/") + 1; n != len(r.segments) {
			t.Errorf("%q has %d segments, its route %d", path, n, len(r.segments))
		}
		for _, s := range p {
			if len(s) > len(path) {
				t.Errorf("%q gives the longer parameter %q", path, s)
			}
		}
	})
}
