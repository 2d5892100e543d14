package rest

import (
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/config"
)

func testOptions() *config.Options {
	o := config.Default()
	o.AppID, o.MasterKey = "APP", "MASTER"
	return o
}

func testAPI(t *testing.T) *API {
	t.Helper()
	a, err := New(Options{Config: testOptions(), Logger: slog.New(slog.DiscardHandler), State: func() string { return "ok" }})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func basic(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }

func TestCredentials(t *testing.T) {
	withKeys := func(o *config.Options) { o.RESTAPIKey, o.JavascriptKey = "REST", "JS" }
	all := func(o *config.Options) {
		withKeys(o)
		o.ReadOnlyMasterKey, o.MaintenanceKey = "RO", "MAINT"
	}
	master := auth.Caller{Master: true, IP: "127.0.0.1"}
	public := auth.Caller{IP: "127.0.0.1"}
	refused := auth.Caller{IP: "refused"}
	for _, test := range []struct {
		name    string
		options func(*config.Options)
		header  map[string]string
		body    string
		from    string
		want    auth.Caller
		left    string // of the body
	}{
		{name: "no app", want: refused},
		{name: "wrong app", header: map[string]string{"X-Parse-Application-Id": "NOPE"}, want: refused},
		{name: "app", header: map[string]string{"X-Parse-Application-Id": "APP"}, want: public},
		{name: "master", header: map[string]string{"X-Parse-Application-Id": "APP", "X-Parse-Master-Key": "MASTER"}, want: master},
		{name: "wrong master key is no key", header: map[string]string{"X-Parse-Application-Id": "APP", "X-Parse-Master-Key": "MASTERX"}, want: public},
		{name: "wrong master key where keys are needed", options: withKeys, header: map[string]string{"X-Parse-Application-Id": "APP", "X-Parse-Master-Key": "MASTERX"}, want: refused},
		{name: "master from elsewhere", header: map[string]string{"X-Parse-Application-Id": "APP", "X-Parse-Master-Key": "MASTER"}, from: "10.0.0.1", want: refused},
		{name: "master from a mapped address", header: map[string]string{"X-Parse-Application-Id": "APP", "X-Parse-Master-Key": "MASTER"}, from: "::ffff:127.0.0.1", want: master},
		{name: "read-only from elsewhere", options: all, header: map[string]string{"X-Parse-Application-Id": "APP", "X-Parse-Master-Key": "RO"}, from: "10.0.0.1", want: auth.Caller{Master: true, ReadOnly: true, IP: "10.0.0.1"}},
		{name: "maintenance", options: all, header: map[string]string{"X-Parse-Application-Id": "APP", "X-Parse-Maintenance-Key": "MAINT"}, want: auth.Caller{Maintenance: true, IP: "127.0.0.1"}},
		{name: "maintenance from elsewhere", options: all, header: map[string]string{"X-Parse-Application-Id": "APP", "X-Parse-Maintenance-Key": "MAINT"}, from: "10.0.0.1", want: refused},
		{name: "no client key", options: withKeys, header: map[string]string{"X-Parse-Application-Id": "APP"}, want: refused},
		{name: "REST key", options: withKeys, header: map[string]string{"X-Parse-Application-Id": "APP", "X-Parse-REST-API-Key": "REST"}, want: public},
		{name: "JavaScript key", options: withKeys, header: map[string]string{"X-Parse-Application-Id": "APP", "X-Parse-Javascript-Key": "JS"}, want: public},
		{name: "key of another kind", options: withKeys, header: map[string]string{"X-Parse-Application-Id": "APP", "X-Parse-Client-Key": "REST"}, want: refused},
		{name: "master needs no client key", options: withKeys, header: map[string]string{"X-Parse-Application-Id": "APP", "X-Parse-Master-Key": "MASTER"}, want: master},
		{name: "basic master", header: map[string]string{"Authorization": basic("APP:MASTER")}, want: master},
		{name: "basic of lower case", header: map[string]string{"Authorization": "bASIC " + basic("APP:MASTER")[6:]}, want: master},
		{name: "basic JavaScript key", options: withKeys, header: map[string]string{"Authorization": basic("APP:javascript-key=JS")}, want: public},
		{name: "basic with three parts", header: map[string]string{"Authorization": basic("APP:MASTER:x")}, want: refused},
		{name: "basic of another app", header: map[string]string{"Authorization": basic("NOPE:MASTER")}, want: refused},
		{name: "basic that isn't base64", header: map[string]string{"Authorization": "Basic %%"}, want: refused},
		{name: "bearer", header: map[string]string{"Authorization": "Bearer x"}, want: refused},
		{
			name: "body form", options: withKeys,
			body: `{"where":{},"_noBody":1,"_ApplicationId":"APP","_JavaScriptKey":"JS","_ClientVersion":"js8","_InstallationId":"i","_SessionToken":"r:1","_context":{"a":1},"_RevocableSession":"1"}`,
			want: auth.Caller{SessionToken: "r:1", InstallationID: "i", IP: "127.0.0.1"}, left: `{"where":{}}`,
		},
		{name: "body form, master", body: `{"_ApplicationId":"APP","_MasterKey":"MASTER"}`, want: master, left: `{}`},
		{name: "body form, context as text", body: `{"_ApplicationId":"APP","_context":"{\"a\":1}"}`, want: public, left: `{}`},
		{name: "body form, context of a wrong type", body: `{"_ApplicationId":"APP","_context":[1]}`, want: refused},
		{name: "body form, wrong app", body: `{"_ApplicationId":"NOPE"}`, want: refused},
		{name: "body form, app isn't a string", body: `{"_ApplicationId":["APP"]}`, want: refused},
		{name: "body form, token isn't a string", body: `{"_ApplicationId":"APP","_SessionToken":{"$ne":1}}`, want: refused},
		{name: "body form, key isn't a string", body: `{"_ApplicationId":"APP","_MasterKey":[]}`, want: refused},
		{name: "body form, installation isn't a string", body: `{"_ApplicationId":"APP","_InstallationId":1}`, want: refused},
		{name: "body form, content type isn't a string", body: `{"_ApplicationId":"APP","_ContentType":{}}`, want: refused},
		{name: "body form with a foreign key in the header", header: map[string]string{"X-Parse-Master-Key": "OTHER"}, body: `{"_ApplicationId":"APP"}`, want: refused},
		{name: "body form is left alone when a header names the app", header: map[string]string{"X-Parse-Application-Id": "APP"}, body: `{"_MasterKey":"MASTER","_noBody":1}`, want: public, left: `{"_MasterKey":"MASTER"}`},
		{name: "empty key never matches", header: map[string]string{"X-Parse-Application-Id": "APP", "X-Parse-Master-Key": "", "X-Parse-Maintenance-Key": ""}, want: public},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := testOptions()
			if test.options != nil {
				test.options(o)
			}
			k, err := newKeys(o)
			if err != nil {
				t.Fatal(err)
			}
			h := http.Header{}
			for name, v := range test.header {
				h.Set(name, v)
			}
			b, err := parseBody([]byte(test.body))
			if err != nil {
				t.Fatal(err)
			}
			from := netip.MustParseAddr("127.0.0.1")
			if test.from != "" {
				from = netip.MustParseAddr(test.from).Unmap()
			}
			got, err := func() (auth.Caller, error) {
				p, err := k.fromHeaders(h)
				if err == nil {
					err = k.fromBody(b, &p)
				}
				if err != nil {
					return auth.Caller{}, err
				}
				return k.caller(&p, from, false)
			}()
			if err != nil {
				got = refused
			}
			if got != test.want {
				t.Errorf("caller %+v (%v), want %+v", got, err, test.want)
			}
			if test.left != "" && string(b.json()) != test.left {
				t.Errorf("body left: %s, want %s", b.json(), test.left)
			}
		})
	}
}

func TestRepeatedHeadersMatchNothing(t *testing.T) {
	k, err := newKeys(testOptions())
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{"X-Parse-Application-Id": {"APP"}, "X-Parse-Master-Key": {"MASTER", "MASTER"}}
	p, err := k.fromHeaders(h)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := k.caller(&p, netip.MustParseAddr("127.0.0.1"), false); err != nil || c.Master {
		t.Errorf("caller %+v, %v", c, err)
	}
}

func TestLoginIgnoresTheSession(t *testing.T) {
	k, err := newKeys(testOptions())
	if err != nil {
		t.Fatal(err)
	}
	c, err := k.caller(&presented{appID: "APP", session: "r:1"}, netip.MustParseAddr("127.0.0.1"), true)
	if err != nil || c.SessionToken != "" {
		t.Errorf("caller %+v, %v", c, err)
	}
}

func TestClientAddress(t *testing.T) {
	for _, test := range []struct{ name, trust, peer, forwarded, want string }{
		{"nobody is trusted", `[]`, "10.0.0.1:5", "127.0.0.1", "10.0.0.1"},
		{"all", `true`, "10.0.0.1:5", "1.2.3.4, 5.6.7.8", "1.2.3.4"},
		{"one hop", `1`, "10.0.0.1:5", "1.2.3.4, 5.6.7.8", "5.6.7.8"},
		{"two hops", `2`, "10.0.0.1:5", "1.2.3.4, 5.6.7.8", "1.2.3.4"},
		{"trusted network", `"10.0.0.0/8"`, "10.0.0.1:5", "127.0.0.1, 8.8.8.8, 10.9.9.9", "8.8.8.8"},
		{"peer isn't trusted", `"10.0.0.0/8"`, "8.8.8.8:5", "127.0.0.1", "8.8.8.8"},
		{"nothing forwarded", `true`, "10.0.0.1:5", "", "10.0.0.1"},
		{"mapped peer", `"10.0.0.0/8"`, "[::ffff:10.0.0.1]:5", "::ffff:8.8.8.8", "8.8.8.8"},
		{"nonsense", `true`, "10.0.0.1:5", "localhost", "invalid IP"},
		{"port in the field", `true`, "10.0.0.1:5", "1.2.3.4:99", "invalid IP"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var trust config.TrustProxy
			if err := trust.UnmarshalJSON([]byte(test.trust)); err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = test.peer
			if test.forwarded != "" {
				r.Header.Set("X-Forwarded-For", test.forwarded)
			}
			if got := clientAddress(r, &trust).String(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
