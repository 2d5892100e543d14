package rest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/testservices"
)

// limited starts a worker with limits; requests come from 203.0.113.1 unless X-Forwarded-For says otherwise.
func limited(t *testing.T, limits ...config.RateLimit) *world {
	t.Helper()
	return start(t, server.Environment{}, func(o *config.Options) {
		o.RateLimit = limits
		o.FileUpload.EnableForPublic = true
		o.MaintenanceKey = "MAINT"
		o.TrustProxy.Hops = 1
		o.MasterKeyIPs, o.MaintenanceKeyIPs = config.IPList{"0.0.0.0/0"}, config.IPList{"0.0.0.0/0"}
	})
}

func methods(t *testing.T, json string) *config.Methods {
	t.Helper()
	var m config.Methods
	if err := m.UnmarshalJSON([]byte(json)); err != nil {
		t.Fatal(err)
	}
	return &m
}

const (
	tooMany = `{"code":100,"error":"Too many requests."}`
	hour    = float64(time.Hour / time.Millisecond)
)

// count sends requests until one is refused, ten at most, and returns how many passed.
func (w *world) count(method, path, body string, headers ...string) int {
	w.t.Helper()
	for n := range 10 {
		res := w.do(method, path, body, app(append([]string{"X-Forwarded-For", "203.0.113.1"}, headers...)...))
		if strings.Contains(res.body, `"code":100`) {
			return n
		}
	}
	return 10
}

func TestRateLimit(t *testing.T) {
	w := limited(t,
		config.RateLimit{RequestPath: "/classes/*path", RequestTimeWindow: hour, RequestCount: 3, RequestMethods: methods(t, `["POST"]`)},
		config.RateLimit{RequestPath: "/functions/:name", RequestTimeWindow: hour, RequestCount: 2, ErrorResponseMessage: "slow"},
		config.RateLimit{RequestPath: "/files/*path", RequestTimeWindow: hour, RequestCount: 1, IncludeMasterKey: true},
		config.RateLimit{RequestPath: "/schemas", RequestTimeWindow: hour, RequestCount: 1, RequestMethods: methods(t, `"G.T"`), Zone: "global"},
		config.RateLimit{RequestPath: "/schemas", RequestTimeWindow: 2 * hour, RequestCount: 5},
		config.RateLimit{RequestPath: "/roles", RequestTimeWindow: hour, RequestCount: 0},
	)
	from := func(more ...string) map[string]string {
		return app(append([]string{"X-Forwarded-For", "203.0.113.1"}, more...)...)
	}
	post := func(name, path string, remaining string) Scenario {
		return Scenario{
			Name: name, Method: "POST", Path: path, Body: `{"a":1}`, Headers: from(), Status: 201,
			WantHeaders: map[string]string{"X-RateLimit-Limit": "3", "X-RateLimit-Remaining": remaining, "Retry-After": ""},
		}
	}
	w.run([]Scenario{
		{Name: "master key", Method: "POST", Path: "/classes/A", Body: `{}`, Headers: master("X-Forwarded-For", "203.0.113.1"), Status: 201, WantHeaders: map[string]string{"X-RateLimit-Limit": ""}},
		post("first", "/classes/A", "2"),
		{Name: "other method", Method: "GET", Path: "/classes/A", Headers: from(), Status: 200, WantHeaders: map[string]string{"X-RateLimit-Limit": ""}},
		{Name: "overridden method", Method: "POST", Path: "/classes/A", Body: `{"_method":"GET"}`, Headers: from(), Status: 200, WantHeaders: map[string]string{"X-RateLimit-Limit": ""}},
		post("slash at the end", "/classes/A/", "1"),
		post("other case", "/Classes/A", "0"),
		{
			Name: "one too many", Method: "POST", Path: "/classes/B", Body: `{}`, Headers: from(), Status: 429, Exact: tooMany,
			WantHeaders: map[string]string{"X-RateLimit-Limit": "3", "X-RateLimit-Remaining": "0", "Retry-After": "3600", "Access-Control-Allow-Origin": "*"},
		},
		{Name: "maintenance key counts", Method: "POST", Path: "/classes/B", Body: `{}`, Headers: from("X-Parse-Maintenance-Key", "MAINT"), Status: 429},
		{Name: "a wrong app doesn't", Method: "POST", Path: "/classes/B", Body: `{}`, Headers: map[string]string{"X-Forwarded-For": "203.0.113.1"}, Status: 403},
		{Name: "a read in a batch is a POST", Method: "POST", Path: "/batch", Body: `{"requests":[{"method":"GET","path":"/parse/classes/A"}]}`, Headers: from(), Status: 400, Exact: tooMany},
		{Name: "other address", Method: "POST", Path: "/classes/A", Body: `{}`, Headers: app("X-Forwarded-For", "203.0.113.2"), Status: 201},
		{Name: "this machine", Method: "POST", Path: "/classes/A", Body: `{}`, Headers: app("X-Forwarded-For", "127.0.0.1"), Status: 201, WantHeaders: map[string]string{"X-RateLimit-Limit": ""}},
		{Name: "function", Method: "POST", Path: "/functions/a", Body: `{}`, Headers: from(), Status: 400, Subset: `{"code":141}`},
		{Name: "another function, escaped", Method: "POST", Path: "/functions/%62", Body: `{}`, Headers: from(), Status: 400, Subset: `{"code":141}`},
		{Name: "own message", Method: "POST", Path: "/functions/a", Body: `{}`, Headers: from(), Status: 429, Exact: `{"code":100,"error":"slow"}`},
		{Name: "upload", Method: "POST", Path: "/files/a.txt", Body: `x`, Headers: from(), Status: 201, WantHeaders: map[string]string{"X-RateLimit-Remaining": "0"}},
		{Name: "upload too many", Method: "POST", Path: "/files/a.txt", Body: `x`, Headers: from(), Status: 429, Exact: tooMany},
		{Name: "master key included", Method: "DELETE", Path: "/files/a.txt", Headers: master("X-Forwarded-For", "203.0.113.1"), Status: 429},
		{Name: "downloads don't count", Method: "GET", Path: "/files/APP/a.txt", Headers: from(), Status: 404},
		{Name: "two limits", Method: "GET", Path: "/schemas", Headers: from(), Status: 403, WantHeaders: map[string]string{"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "4"}},
		{
			Name: "one of two is used up", Method: "GET", Path: "/schemas", Headers: app("X-Forwarded-For", "203.0.113.7"), Status: 429, Exact: tooMany,
			WantHeaders: map[string]string{"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "4", "Retry-After": "3600"},
		},
		{Name: "nothing passes", Method: "GET", Path: "/roles", Headers: from(), Status: 429},
	})
	if n := w.count("POST", "/classes/A", `{}`, "X-Forwarded-For", "203.0.113.3"); n != 3 {
		t.Errorf("%d requests of another address pass, want 3", n)
	}
}

func TestRateLimitZones(t *testing.T) {
	for _, test := range []struct {
		zone string
		// passed are how many of three requests each pass: with ann's session, with another session of hers, with bob's,
		// with no session, with a made-up one.
		passed [5]int
	}{
		{"ip", [5]int{2, 0, 0, 0, 0}},
		{"global", [5]int{2, 0, 0, 0, 0}},
		{"session", [5]int{2, 2, 2, 2, 2}},
		{"user", [5]int{2, 0, 2, 2, 0}}, // whom the token doesn't make known counts by address
	} {
		t.Run(test.zone, func(t *testing.T) {
			w := limited(t, config.RateLimit{RequestPath: "/functions/*name", RequestTimeWindow: hour, RequestCount: 2, Zone: test.zone})
			token := func(path, user string) string {
				return member(t, w.do("POST", path, `{"username":"`+user+`","password":"pw"}`, app()).body, "sessionToken")
			}
			ann, bob := token("/users", "ann"), token("/users", "bob")
			for i, session := range []string{ann, token("/login", "ann"), bob, "", "r:made-up"} {
				var headers []string
				if session != "" {
					headers = []string{"X-Parse-Session-Token", session}
				}
				if n := w.count("POST", "/functions/f", `{}`, headers...); n != test.passed[i] {
					t.Errorf("caller %d: %d requests pass, want %d", i, n, test.passed[i])
				}
			}
		})
	}
}

// CVE-2026-30972: what is sent in one batch counts like what is sent alone.
func TestRateLimitInBatches(t *testing.T) {
	w := limited(t, config.RateLimit{RequestPath: "/login", RequestTimeWindow: hour, RequestCount: 3, Zone: "session"})
	guess := `{"method":"POST","path":"/parse/Login/","body":{"username":"ann","password":"x"}}`
	batch := `{"requests":[` + guess + `,` + guess + `]}`
	headers := app("X-Forwarded-For", "203.0.113.1", "X-Parse-Session-Token", "r:any")
	if res := w.do("POST", "/batch", batch, app("X-Forwarded-For", "203.0.113.1")); res.status != 200 {
		t.Errorf("the first batch: %d %s", res.status, res.body)
	}
	if res := w.do("POST", "/batch", batch, headers); res.status != 400 || res.body != tooMany {
		t.Errorf("the second batch, with a session that log-ins don't look at: %d %s", res.status, res.body)
	}
	if res := w.do("POST", "/login", `{"username":"ann","password":"x"}`, headers); res.status != 429 || res.header.Get("Retry-After") == "" {
		t.Errorf("the log-in alone: %d %s", res.status, res.body)
	}
}

func TestRateLimitWindowEnds(t *testing.T) {
	const window = 2 * time.Second
	w := limited(t, config.RateLimit{RequestPath: "/functions/*name", RequestTimeWindow: float64(window / time.Millisecond), RequestCount: 2})
	begun := time.Now()
	if n := w.count("POST", "/functions/f", `{}`); n != 2 {
		t.Fatalf("%d requests pass, want 2", n)
	}
	n := 0
	for ; n == 0 && time.Since(begun) < 20*time.Second; time.Sleep(5 * time.Millisecond) {
		n = w.count("POST", "/functions/f", `{}`)
	}
	if took := time.Since(begun); n != 2 || took < window {
		t.Errorf("%d requests pass in the next window, want 2; it begins after %s, want %s", n, took, window)
	}
}

func TestRateLimitInRedis(t *testing.T) {
	r := testservices.StartRedis(t)
	limit := config.RateLimit{RequestPath: "/functions/*name", RequestTimeWindow: hour, RequestCount: 3, RedisURL: config.Secret(r.URL)}
	one, two := limited(t, limit), limited(t, limit)
	headers := app("X-Forwarded-For", "203.0.113.1")
	for i, w := range []*world{one, two, one} {
		if res := w.do("POST", "/functions/f", `{}`, headers); res.status == 429 {
			t.Fatalf("request %d is refused", i)
		}
	}
	if res := two.do("POST", "/functions/f", `{}`, headers); res.status != 429 {
		t.Errorf("what both workers let pass isn't counted together: %d", res.status)
	}
	// Without Redis, each worker limits by itself.
	limit.RedisURL = "redis://127.0.0.1:1"
	if n := limited(t, limit).count("POST", "/functions/f", `{}`); n != 3 {
		t.Errorf("%d requests pass without Redis, want 3", n)
	}
}
