package rest_test

import (
	"fmt"
	"testing"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
)

// TestKeysAndAddresses asks /serverInfo, which only a master key opens, with every kind of key from every kind of
// address, over a trusted proxy, in the header and in the body form.
func TestKeysAndAddresses(t *testing.T) {
	const inside, outside = "10.1.2.3", "203.0.113.9"
	w := start(t, server.Environment{}, func(o *config.Options) {
		o.ReadOnlyMasterKey, o.MaintenanceKey, o.RESTAPIKey = "RO", "MAINT", "REST"
		o.MasterKeyIPs, o.ReadOnlyMasterKeyIPs, o.MaintenanceKeyIPs = config.IPList{"10.0.0.0/8"}, config.IPList{"10.0.0.0/8"}, config.IPList{"10.0.0.0/8"}
		o.TrustProxy.Hops = 1
	})
	for _, test := range []struct {
		key, from string
		status    int
		body      string
	}{
		{"", inside, 403, unauthorized},
		{"REST", inside, 403, denied},
		{"REST", outside, 403, denied},
		{"MASTER", inside, 200, ""},
		{"MASTER", "::ffff:" + inside, 200, ""},
		{"MASTER", outside, 403, unauthorized},
		{"MASTER", "nonsense", 403, unauthorized},
		{"RO", inside, 200, ""},
		{"RO", outside, 403, unauthorized},
		{"MAINT", inside, 403, denied},
		{"MAINT", outside, 403, unauthorized},
		{"WRONG", inside, 403, unauthorized},
	} {
		field := map[string]string{"REST": "X-Parse-REST-API-Key", "MAINT": "X-Parse-Maintenance-Key"}[test.key]
		if field == "" {
			field = "X-Parse-Master-Key"
		}
		scenarios := []Scenario{{
			Name: "header", Method: "GET", Path: "/serverInfo", Status: test.status, Exact: test.body,
			Headers: app(field, test.key, "X-Forwarded-For", test.from),
		}}
		if field == "X-Parse-Master-Key" && test.key != "" {
			scenarios = append(scenarios, Scenario{
				Name: "body", Method: "POST", Path: "/serverInfo", Status: test.status, Exact: test.body,
				Body:    `{"_method":"GET","_ApplicationId":"APP","_MasterKey":"` + test.key + `"}`,
				Headers: map[string]string{"X-Forwarded-For": test.from},
			})
		}
		t.Run(fmt.Sprintf("%s from %s", test.key, test.from), func(t *testing.T) {
			in := *w
			in.t = t
			in.run(scenarios)
		})
	}
}

func TestForgedFieldsChangeNothing(t *testing.T) {
	w := start(t, server.Environment{}, func(o *config.Options) { o.MasterKeyIPs = config.IPList{"10.0.0.1"} })
	for _, field := range []string{"X-Parsescale-Client-Ip", "X-Forwarded-For", "X-Real-Ip", "Forwarded"} {
		if res := w.do("GET", "/serverInfo", "", master(field, "10.0.0.1")); res.status != 403 {
			t.Errorf("%s was believed: %s", field, res.body)
		}
	}
	one := w.do("POST", "/classes/A", `{"a":1}`, app("X-Parsescale-Write-Id", "same"))
	two := w.do("POST", "/classes/A", `{"a":1}`, app("X-Parsescale-Write-Id", "same"))
	if one.body == two.body {
		t.Error("a client's write id was believed")
	}
	token := member(t, w.do("POST", "/users", `{"username":"u","password":"p"}`, app()).body, "sessionToken")
	res := w.do("GET", "/classes/A", "", app("X-Parse-Session-Token", token))
	if res.status != 200 || res.header.Get("X-Parsescale-Reads")+res.header.Get("X-Parsescale-Rights") != "" {
		t.Errorf("a client is told what is the gateway's to know: %d, %v", res.status, res.header)
	}
}

func TestGatewayFields(t *testing.T) {
	w := start(t, server.Environment{Gateway: true}, func(o *config.Options) { o.MasterKeyIPs = config.IPList{"10.0.0.1"} })
	from := func(more ...string) map[string]string {
		return master(append(more, "X-Parsescale-Client-Ip", "10.0.0.1")...)
	}
	if res := w.do("GET", "/serverInfo", "", from()); res.status != 200 {
		t.Errorf("the gateway's address isn't believed: %s", res.body)
	}
	if res := w.do("GET", "/serverInfo", "", master("X-Forwarded-For", "10.0.0.1")); res.status != 403 {
		t.Errorf("a request without the gateway's address has one: %s", res.body)
	}
	one := w.do("POST", "/classes/A", `{"a":1}`, from("X-Parsescale-Write-Id", "w1"))
	two := w.do("POST", "/classes/A", `{"a":1}`, from("X-Parsescale-Write-Id", "w1"))
	if one.status != 201 || one.body != two.body || one.header.Get("Location") != two.header.Get("Location") {
		t.Errorf("a repeated write answers %s, then %s", one.body, two.body)
	}
	batch := `{"requests":[{"method":"POST","path":"/parse/classes/A","body":{"a":2}},{"method":"POST","path":"/parse/classes/A","body":{"a":2}}]}`
	one = w.do("POST", "/batch", batch, from("X-Parsescale-Write-Id", "w2"))
	two = w.do("POST", "/batch", batch, from("X-Parsescale-Write-Id", "w2"))
	if one.status != 200 || one.body != two.body {
		t.Errorf("a repeated batch answers %s, then %s", one.body, two.body)
	}
	if res := w.do("GET", "/classes/A?count=1&limit=0", "", from()); res.body != `{"results":[],"count":3}` {
		t.Errorf("after the repeats: %s", res.body)
	}
	token := member(t, w.do("POST", "/users", `{"username":"u","password":"p"}`, app("X-Parsescale-Client-Ip", "8.8.8.8")).body, "sessionToken")
	res := w.do("GET", "/classes/A", "", map[string]string{"X-Parse-Application-Id": "APP", "X-Parse-Session-Token": token, "X-Parsescale-Client-Ip": "8.8.8.8"})
	if res.header.Get("X-Parsescale-Rights") == "" {
		t.Error("an answer for a session doesn't name its rights")
	}
}

func TestLocationFollowsTheConfiguration(t *testing.T) {
	w := start(t, server.Environment{}, func(o *config.Options) { o.PublicServerURL = "https://api.example.com/1" })
	res := w.do("POST", "/classes/A", `{}`, app("Host", "evil.example"))
	if want := "https://api.example.com/1/classes/A/" + member(t, res.body, "objectId"); res.header.Get("Location") != want {
		t.Errorf("Location %q, want %q", res.header.Get("Location"), want)
	}
	batch := `{"requests":[{"method":"GET","path":"/1/classes/A","body":{"limit":0}},{"method":"GET","path":"/parse/classes/A","body":{"limit":0}}]}`
	if res := w.do("POST", "/batch", batch, app()); res.status != 200 {
		t.Errorf("a batch with the public path: %s", res.body)
	}
}
