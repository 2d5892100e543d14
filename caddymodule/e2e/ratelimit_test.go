package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/testservices"
)

// TestRateLimit checks what a client sees that asks too often.
func TestRateLimit(t *testing.T) {
	g := startGateway(t, bundledApp("", "rate_limit {\nkey app\ndefault 10/10m burst 10\n}"))
	c := newClient(t, g.url())
	allowed := 0
	var a answer
	for range 30 {
		var err error
		if a, err = c.do("GET", "/classes/Limited", ""); err != nil {
			t.Fatal(err)
		}
		if a.status != http.StatusOK {
			break
		}
		if a.header.Get("RateLimit-Policy") == "" || a.header.Get("RateLimit") == "" {
			t.Errorf("an allowed answer has no RateLimit headers: %v", a.header)
		}
		// The worker's own are exposed, too, whether the answer is stored or not.
		if exposed := strings.Join(a.header.Values("Access-Control-Expose-Headers"), ", "); !strings.Contains(exposed, "RateLimit, RateLimit-Policy") || !strings.Contains(exposed, "X-Parse-Job-Status-Id") {
			t.Errorf("an allowed answer exposes %q", exposed)
		}
		allowed++
	}
	if allowed < 9 || allowed > 12 { // the gateway's own health checks don't count; a burst of 10 and the first request
		t.Errorf("%d requests were allowed, want about 10", allowed)
	}
	t.Run("the refusal", func(t *testing.T) {
		if a.status != http.StatusTooManyRequests {
			t.Fatalf("status %d: %s", a.status, a.body)
		}
		var body struct {
			Code  int
			Error string
		}
		if err := json.Unmarshal([]byte(a.body), &body); err != nil || body.Code != 100 || body.Error != "Too many requests." {
			t.Errorf("body %s, want parse-server's error", a.body)
		}
		if n, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || n < 1 || n > 600 {
			t.Errorf("Retry-After %q, want seconds", a.header.Get("Retry-After"))
		}
		for header, form := range map[string]string{
			"RateLimit-Policy":             `^"[^"]+";q=\d+;w=\d+`,
			"RateLimit":                    `^"[^"]+";r=0;t=\d+`,
			"Access-Control-Allow-Origin":  `^\*$`,
			"Access-Control-Allow-Headers": `X-Parse-Application-Id`,
			"Content-Type":                 `^application/json`,
			"Cache-Status":                 `^parsescale; fwd=bypass`,
		} {
			if !regexp.MustCompile(form).MatchString(a.header.Get(header)) {
				t.Errorf("%s: %q, want the form %s", header, a.header.Get(header), form)
			}
		}
	})
	t.Run("a preflight request isn't counted", func(t *testing.T) {
		if a, err := c.do("OPTIONS", "/classes/Limited", ""); err != nil || a.status != http.StatusOK {
			t.Errorf("status %d, %v", a.status, err)
		}
	})
	t.Run("a batch doesn't get around it", func(t *testing.T) {
		a, err := c.do("POST", "/batch", `{"requests":[{"method":"POST","path":"/parse/classes/Limited","body":{}}]}`)
		if err != nil || a.status != http.StatusTooManyRequests {
			t.Errorf("status %d, %v: %s", a.status, err, a.body)
		}
	})
	t.Run("another application id doesn't get around it", func(t *testing.T) {
		refused := 0
		for i := range 40 {
			a, err := c.with("X-Parse-Application-Id", "invented"+strconv.Itoa(i)).do("GET", "/classes/Limited", "")
			if err != nil || a.status == http.StatusOK {
				t.Fatalf("status %d, %v: %s", a.status, err, a.body)
			}
			if a.status == http.StatusTooManyRequests {
				refused++
			}
		}
		if refused == 0 {
			t.Error("requests with invented application ids are never limited")
		}
	})
}

// TestSharedRateLimit has two gateways in front of one server share a limit, and then lose the Redis in which they do.
func TestSharedRateLimit(t *testing.T) {
	r := testservices.StartRedis(t)
	port := testservices.FreePort(t)
	startStandalone(t, t.TempDir(), map[string]any{
		"appId": appID, "masterKey": masterKey, "restAPIKey": restKey, "databaseURI": "sqlite://" + t.TempDir() + "/parse.db",
		"host": "127.0.0.1", "port": port, "allowClientClassCreation": true,
	})
	for mode, most := range map[string]int{"exact": 10, "lease": 20} {
		t.Run(mode, func(t *testing.T) {
			text := fmt.Sprintf(`{
	admin ADMIN
	parse {
		redis %s {
			deployment %s
			timeout 2s
		}
		upstreams 127.0.0.1:%d
		app_id %s
	}
}
ADDRESS {
	parse /parse/* {
		rate_limit {
			default 10/10m burst 10
			redis %s
			on_redis_failure closed
		}
	}
}
`, r.URL, mode, port, appID, mode)
			gateways := []*gateway{startGateway(t, text), startGateway(t, text)}
			allowed := 0
			for i := range 60 {
				a, err := newClient(t, gateways[i%2].url()).do("GET", "/classes/Limited", "")
				if err != nil || a.status != http.StatusOK && a.status != http.StatusTooManyRequests {
					t.Fatalf("status %d, %v: %s", a.status, err, a.body)
				}
				if a.status == http.StatusOK {
					allowed++
				}
			}
			// Health checks are charged to the address that asks, as long as they name no app.
			if allowed < 10 || allowed > most {
				t.Errorf("%d requests were allowed, want 10 to %d", allowed, most)
			}
			sum := 0
			for _, g := range gateways {
				told := metrics(t, g)
				labels := `{app="default",on_failure="closed",redis="` + mode + `"}`
				if told["parsescale_rate_limit_redis_up"+labels] != 1 || told["parsescale_rate_limit_gateways"+labels] < 1 {
					t.Errorf("the metrics of Redis are not as they should be: %v", told)
				}
				for _, name := range []string{"redis_failures_total", "without_redis_total"} {
					if n, there := told["parsescale_rate_limit_"+name+labels]; n != 0 || !there {
						t.Errorf("%s is %g", name, n)
					}
				}
				limit := `{app="default",limit="default app 10/10m burst 10"}`
				sum += int(told["parsescale_rate_limit_allowed_total"+limit] + told["parsescale_rate_limit_refused_total"+limit])
			}
			if sum < 60 { // and health checks, until the gateways were up
				t.Errorf("the zone has decided %d times, want at least 60", sum)
			}
		})
	}
}

// TestRateLimitByUser counts the sessions of one user together: by what its log-ins answered, and after a restart of the gateway,
// which has forgotten them, by what workers tell of reads.
func TestRateLimitByUser(t *testing.T) {
	g := startGateway(t, bundledApp("", "rate_limit {\nkey user\ndefault 10/10m burst 10\n}"))
	c := newClient(t, g.url())
	session := func(path, body string) *client {
		t.Helper()
		a, err := c.do("POST", path, body)
		var answered struct{ SessionToken string }
		if err != nil || json.Unmarshal([]byte(a.body), &answered) != nil || answered.SessionToken == "" {
			t.Fatalf("%s: status %d, %v: %s", path, a.status, err, a.body)
		}
		return c.with("X-Parse-Session-Token", answered.SessionToken)
	}
	ann, again := session("/users", `{"username":"ann","password":"p"}`), session("/login", `{"username":"ann","password":"p"}`)
	bob := session("/users", `{"username":"bob","password":"p"}`)
	allowed := func(clients ...*client) (n int) {
		t.Helper()
		for i := range 30 {
			a, err := clients[i%len(clients)].do("GET", "/classes/Limited?limit="+strconv.Itoa(i+1), "")
			switch {
			case err != nil || a.status != http.StatusOK && a.status != http.StatusTooManyRequests:
				t.Fatalf("status %d, %v: %s", a.status, err, a.body)
			case a.status == http.StatusOK:
				n++
			}
		}
		return n
	}
	for restarts := range 2 {
		if restarts > 0 {
			g.kill()
			g.start()
		}
		if n := allowed(ann, again); n != 10 {
			t.Errorf("%d requests of two sessions of a user were allowed, want 10", n)
		}
		if n := allowed(bob); n != 10 {
			t.Errorf("%d requests of another user were allowed, want 10", n)
		}
	}
}

// metrics reads a gateway's metrics by name and labels.
func metrics(t *testing.T, g *gateway) map[string]float64 {
	t.Helper()
	res, err := http.Get("http://" + g.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("the metrics: %s", res.Status)
	}
	found := map[string]float64{}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if i := strings.LastIndexByte(lines.Text(), ' '); i > 0 {
			if n, err := strconv.ParseFloat(lines.Text()[i+1:], 64); err == nil {
				found[lines.Text()[:i]] = n
			}
		}
	}
	return found
}
