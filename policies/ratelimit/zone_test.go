package ratelimit

import (
	"net/http"
	"testing"
	"time"

	"github.com/parsescale/parsescale/policies/request"
)

func TestAddress(t *testing.T) {
	for ip, want := range map[string]string{
		"10.1.2.3":               "10.1.2.3",
		"::ffff:10.1.2.3":        "10.1.2.3",
		"2001:db8:1:2:3:4:5:6":   "2001:db8:1:2::/64",
		"2001:db8:1:2::":         "2001:db8:1:2::/64",
		"2001:db8:1:3::1":        "2001:db8:1:3::/64",
		"fe80::1%eth0":           "fe80::/64",
		"":                       "",
		"not an address":         "not an address",
		"2001:db8:1:2:3:4:5:6:7": "2001:db8:1:2:3:4:5:6:7",
	} {
		if got := Address(ip); got != want {
			t.Errorf("%q: %q, want %q", ip, got, want)
		}
	}
}

// classified is a request as the gateway sees it.
func classified(method, path, body string, header ...string) *request.Request {
	h := http.Header{"X-Parse-Application-Id": {"app"}, "Content-Type": {"text/plain"}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	r := request.Classify(request.Input{Method: method, Path: path, Header: h, Body: []byte(body), BodyComplete: true, Mount: "/parse"})
	return &r
}

func batchOf(subs ...string) *request.Request {
	list := ""
	for i, s := range subs {
		if i > 0 {
			list += ","
		}
		list += s
	}
	return classified("POST", "/batch", `{"requests":[`+list+`]}`)
}

// TestWhatAZoneCharges lists what a request costs in zones of some kinds.
func TestWhatAZoneCharges(t *testing.T) {
	logIn := `{"method":"POST","path":"/parse/login","body":{"username":"u","password":"p"}}`
	create := `{"method":"POST","path":"/parse/classes/A","body":{}}`
	odd := `{"method":"POST","path":"/parse/%6Cogin","body":{}}`
	for _, c := range []struct {
		name  string
		zone  Zone
		r     *request.Request
		costs int64
	}{
		{"everything", Zone{}, classified("GET", "/classes/A", ""), 1},
		{"everything, a batch", Zone{}, batchOf(create, create, logIn), 3},
		{"reads", Zone{Ops: groupOf("read")}, classified("GET", "/classes/A", ""), 1},
		{"reads, a write", Zone{Ops: groupOf("read")}, classified("PUT", "/classes/A/x", "{}"), 0},
		{"log-ins", Zone{Ops: groupOf("login")}, classified("POST", "/login", "{}"), 1},
		{"log-ins, a sign-up", Zone{Ops: groupOf("login")}, classified("POST", "/users", "{}"), 1},
		{"log-ins in a batch", Zone{Ops: groupOf("login")}, batchOf(create, logIn, create, logIn), 2},
		{"log-ins, a batch without", Zone{Ops: groupOf("login")}, batchOf(create, create), 0},
		{"log-ins, a batch with something odd", Zone{Ops: groupOf("login")}, batchOf(create, odd), 1},
		{"log-ins, a batch that can't be read", Zone{Ops: groupOf("login")}, classified("POST", "/batch", `{"requests":[{"method"`), 1},
		{"a class", Zone{Classes: []string{"A"}}, classified("GET", "/classes/A/x", ""), 1},
		{"another class", Zone{Classes: []string{"A"}}, classified("GET", "/classes/B/x", ""), 0},
		{"a function", Zone{Names: []string{"f"}}, classified("POST", "/functions/f", "{}"), 1},
		{"another function", Zone{Names: []string{"f"}}, classified("POST", "/functions/g", "{}"), 0},
		{"a function by name in a batch", Zone{Names: []string{"f"}}, batchOf(`{"method":"POST","path":"/parse/functions/f","body":{}}`, `{"method":"POST","path":"/parse/functions/g","body":{}}`, create), 1},
		{"a job", Zone{Ops: groupOf("function"), Names: []string{"j"}}, classified("POST", "/jobs/j", "{}"), 1},
		{"functions, a read", Zone{Ops: groupOf("function")}, classified("GET", "/classes/f", ""), 0},
		{"aggregates", Zone{Ops: groupOf("aggregate")}, classified("GET", "/aggregate/A?pipeline=[]", ""), 1},
		{"aggregates of another class", Zone{Ops: groupOf("aggregate"), Classes: []string{"B"}}, classified("GET", "/aggregate/A", ""), 0},
		{"aggregates, a read", Zone{Ops: groupOf("aggregate")}, classified("GET", "/classes/A", ""), 0},
		{"push", Zone{Ops: groupOf("push")}, classified("POST", "/push", "{}"), 1},
		{"push, a write", Zone{Ops: groupOf("push")}, classified("POST", "/classes/_PushStatus", "{}"), 0},
		{"files, an upload", Zone{Ops: groupOf("files")}, classified("POST", "/files/f.txt", "x"), 1},
		{"files, a download", Zone{Ops: groupOf("files")}, classified("GET", "/files/app/f.txt", ""), 1},
		{"files, a deletion", Zone{Ops: groupOf("files")}, classified("DELETE", "/files/f.txt", ""), 1},
		{"files, a write", Zone{Ops: groupOf("files")}, classified("POST", "/classes/files", "{}"), 0},
		{"writes, an upload", Zone{Ops: groupOf("write")}, classified("POST", "/files/f.txt", "x"), 0},
		{"a read by the SDK", Zone{Ops: groupOf("read")}, classified("POST", "/classes/A", `{"_method":"GET"}`), 1},
		{"writes, a read by the SDK", Zone{Ops: groupOf("write")}, classified("POST", "/classes/A", `{"_method":"GET"}`), 0},
		{"reads, the config", Zone{Ops: groupOf("read")}, classified("GET", "/config", ""), 1},
		{"reads, a new config", Zone{Ops: groupOf("read")}, classified("PUT", "/config", "{}"), 0},
		{"writes, a new config", Zone{Ops: groupOf("write")}, classified("PUT", "/config", "{}"), 1},
		{"writes, a schema in a batch", Zone{Ops: groupOf("write")}, batchOf(create, `{"method":"POST","path":"/parse/schemas/A","body":{}}`, `{"method":"GET","path":"/parse/schemas/A"}`), 2},
		{"a single operation that reads and writes", Zone{Ops: groupOf("config")}, classified("PUT", "/config", "{}"), 1},
		{"a single operation", Zone{Ops: groupOf("create")}, classified("POST", "/classes/A", "{}"), 1},
		{"what isn't known", Zone{Ops: groupOf("login")}, classified("POST", "/something", "{}"), 1},
	} {
		if got := c.zone.cost(c.r); got != c.costs {
			t.Errorf("%s: %d, want %d", c.name, got, c.costs)
		}
	}
	for _, wrong := range []string{"", "reads", "batch", "other", "READ"} {
		if err := (Group{}).Add(wrong); err == nil {
			t.Errorf("%q is taken for an operation", wrong)
		}
	}
}

func groupOf(names ...string) Group {
	g := Group{}
	for _, n := range names {
		if err := g.Add(n); err != nil {
			panic(err)
		}
	}
	return g
}

// testZone is a zone with a burst and a clock that stands.
func testZone(t *testing.T, name string, key Key, burst int64, ops ...string) *Zone {
	t.Helper()
	l, err := New([]Policy{{Name: name, Quota: burst, Window: time.Hour}}, Options{Now: func() time.Time { return time.Unix(1e9, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	return &Zone{Name: name, Key: key, Limiter: l, Ops: groupOf(ops...)}
}

// TestAllOrNothing charges a request that one zone refuses to none.
func TestAllOrNothing(t *testing.T) {
	all, logIns := testZone(t, "all", ByApp, 10), testZone(t, "logins", ByAppIP, 2, "login")
	zones, c := Zones{all, logIns}, Client{App: "app", IP: "10.0.0.1"}
	logIn, read := classified("POST", "/login", "{}"), classified("GET", "/classes/A", "")
	for i := range 6 {
		d := zones.Take(nil, c, logIn)
		if d.OK != (i < 2) {
			t.Fatalf("log-in %d: %+v", i, d)
		}
		if !d.OK && (d.Zone != logIns || d.RetryAfter <= 0) {
			t.Errorf("log-in %d is refused by %s: %+v", i, d.Zone.Name, d.Decision)
		}
	}
	for i := range 9 {
		if d := zones.Take(nil, c, read); d.OK != (i < 8) { // 10 less the two that passed
			t.Errorf("read %d: %+v", i, d.Decision)
		}
	}
	if s := logIns.Limiter.Stats(); s.Refused != 4 {
		t.Errorf("%d refusals are counted, want 4", s.Refused)
	}
}

func TestDryRunAndHits(t *testing.T) {
	z := testZone(t, "z", ByApp, 2)
	z.DryRun = true
	c, read := Client{App: "app"}, classified("GET", "/classes/A", "")
	for i := range 5 {
		if d := (Zones{z}).Take(nil, c, read); !d.OK {
			t.Errorf("request %d is refused in a dry run", i)
		}
	}
	if s := z.Limiter.Stats(); s.DryRun != 3 || s.Allowed != 2 {
		t.Errorf("%d would have been refused, want 3; %d were allowed, want 2", s.DryRun, s.Allowed)
	}
	hits := testZone(t, "hits", ByApp, 2)
	passed := 0
	for range 100 {
		d := (Zones{hits}).Take(nil, c, read)
		if d.OK {
			passed++
			d.GiveBack(0.9)
		}
	}
	if passed < 10 || passed > 20 { // the last unit must be whole when it is taken
		t.Errorf("%d hits at a tenth passed for 2 units", passed)
	}
}
