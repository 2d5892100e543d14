package builtin

import (
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/identity/builtin/ldaptest"
)

const suffix = "ou=people,dc=example,dc=com"

func buildLDAP(t *testing.T, options string) identity.Adapter {
	t.Helper()
	var auth map[string]map[string]any
	if err := json.Unmarshal([]byte(`{"ldap":`+options+`}`), &auth); err != nil {
		t.Fatal(err)
	}
	adapters, err := Build(Options{Auth: auth})
	if err != nil {
		t.Fatal(err)
	}
	return adapters["ldap"]
}

func text(s string) string {
	data, _ := json.Marshal(s)
	return string(data)
}

func TestLDAP(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Directory{
		Users: map[string]string{
			"uid=ann," + suffix: "pw", "uid=bob," + suffix: "pw", `uid=a\,b\+c,` + suffix: "pw", `uid=\ x\ ,` + suffix: "pw", `uid=*,` + suffix: "pw",
			"cn=ann,o=other": "other",
		},
		Groups: map[string][]string{"admins": {"ann", "*"}, "users": {"ann", "bob"}},
	})
	plain := `{"url":"` + s.URL + `","suffix":"` + suffix + `"}`
	grouped := `{"url":"` + s.URL + `","suffix":"` + suffix + `","groupCn":"admins","groupFilter":"(memberUid={{id}})"}`
	const wrongOne = "LDAP: Wrong username or password"
	type m = map[string]any
	for _, tt := range []struct {
		name, options string
		data          m
		want          string
	}{
		{"right", plain, m{"id": "ann", "password": "pw", "extra": 1.0}, ""},
		{"another template", `{"url":"` + s.URL + `","suffix":"` + suffix + `","dn":"cn={{id}},o=other"}`, m{"id": "ann", "password": "other"}, ""},
		{"a wrong password", plain, m{"id": "ann", "password": "x"}, wrongOne},
		{"an unknown user", plain, m{"id": "eve", "password": "pw"}, wrongOne},
		// GHSA-863r-39r9-vfcf: the server lets nobody in as nobody.
		{"an empty password", plain, m{"id": "ann", "password": ""}, wrongOne},
		{"no password", plain, m{"id": "ann"}, wrongOne},
		{"a password that is no text", plain, m{"id": "ann", "password": m{"a": 1}}, wrongOne},
		{"an endless password", plain, m{"id": "ann", "password": strings.Repeat("x", 1<<20)}, wrongOne},
		{"no id", plain, m{"password": "pw"}, wrongOne},
		{"an id that is no text", plain, m{"id": 5.0, "password": "pw"}, wrongOne},
		// GHSA-7m6r-fhh7-r47c: what is special in a name or a filter is taken literally.
		{"a special id", plain, m{"id": "a,b+c", "password": "pw"}, ""},
		{"an id with spaces at its ends", plain, m{"id": " x ", "password": "pw"}, ""},
		{"an id that leaves its place", plain, m{"id": "ann," + suffix + ",uid=x", "password": "pw"}, wrongOne},
		{"an id that is another name", `{"url":"` + s.URL + `","suffix":"o=other","dn":"cn={{id}},o=other"}`, m{"id": "x,o=other+uid=ann", "password": "pw"}, wrongOne},
		{"in the group", grouped, m{"id": "ann", "password": "pw"}, ""},
		{"not in the group", grouped, m{"id": "bob", "password": "pw"}, "LDAP: User not in group"},
		{"an asterisk", grouped, m{"id": "*", "password": "pw"}, ""},
		{"a filter that finds all", grouped, m{"id": "*)(uid=*", "password": "pw"}, wrongOne},
		{"no password, in the group", grouped, m{"id": "ann", "password": ""}, wrongOne},
		{"a server that isn't there", `{"url":"ldap://127.0.0.1:1","suffix":"o=x"}`, m{"id": "ann", "password": "pw"}, "LDAP: Somthing went wrong"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := buildLDAP(t, tt.options)
			p, err := identity.New(identity.Options{Adapters: map[string]identity.Adapter{"ldap": a}})
			if err != nil {
				t.Fatal(err)
			}
			out, err := p.Validate(t.Context(), &identity.Request{Provider: "ldap", AuthData: tt.data})
			if got := outcome(err); got != tt.want {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
			if err != nil {
				return
			}
			// GHSA-4w46-w44m-3jq3: the password isn't stored.
			want := m{"id": tt.data["id"]}
			if tt.data["extra"] != nil {
				want["extra"] = tt.data["extra"]
			}
			if !reflect.DeepEqual(out.Save, want) {
				t.Errorf("saved %v", out.Save)
			}
			if tt.data["password"] == nil {
				t.Error("the request was changed")
			}
		})
	}
	before := s.Binds.Load()
	a := buildLDAP(t, plain)
	if _, err := a.Validate(t.Context(), &identity.Request{AuthData: m{"id": "ann"}}); err == nil || s.Binds.Load() != before {
		t.Error("the server is asked without a password")
	}
}

func TestLDAPS(t *testing.T) {
	web := httptest.NewUnstartedServer(nil) // for its certificate
	web.StartTLS()
	defer web.Close()
	s := ldaptest.Start(t, ldaptest.Directory{
		Users: map[string]string{"uid=ann," + suffix: "pw"},
		TLS:   &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12},
	})
	ca := text(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})))
	for options, want := range map[string]string{
		`{"ca":` + ca + `}`: "",
		`{"ca":[` + ca + `],"servername":"example.com"}`: "",
		`{"rejectUnauthorized":false}`:                   "",
		`{}`:                                             "LDAPS: Certificate mismatch",
		`{"ca":` + ca + `,"servername":"evil.test"}`:     "LDAPS: Certificate mismatch",
	} {
		a := buildLDAP(t, `{"url":"`+s.URL+`","suffix":"`+suffix+`","tlsOptions":`+options+`}`)
		p, err := identity.New(identity.Options{Adapters: map[string]identity.Adapter{"ldap": a}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Validate(t.Context(), &identity.Request{Provider: "ldap", AuthData: map[string]any{"id": "ann", "password": "pw"}})
		if got := outcome(err); got != want {
			t.Errorf("%.60s: got %q, want %q", options, got, want)
		}
	}
}

// TestLDAPSilence: a server that accepts connections and says nothing costs no more than the bound.
func TestLDAPSilence(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	p, err := identity.New(identity.Options{Timeout: 300_000_000, Adapters: map[string]identity.Adapter{
		"ldap": buildLDAP(t, `{"url":"ldap://`+l.Addr().String()+`","suffix":"o=x"}`),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Validate(t.Context(), &identity.Request{Provider: "ldap", AuthData: map[string]any{"id": "ann", "password": "pw"}}); err == nil {
		t.Error("a silent server lets in")
	}
}

// FuzzLDAPNames checks that no id leaves its place in a distinguished name or a filter.
func FuzzLDAPNames(f *testing.F) {
	for _, id := range []string{"ann", "a,b", " x ", `\`, "#", "*)(uid=*", "\x00", "é", "a=b+c;d<e>f\"g"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if id == "" || strings.ToValidUTF8(id, "") != id {
			return
		}
		dn, err := ldap.ParseDN("uid=" + ldap.EscapeDN(id) + "," + suffix)
		if err != nil {
			t.Skip() // such a name names nobody
		}
		if len(dn.RDNs) != 4 || len(dn.RDNs[0].Attributes) != 1 || dn.RDNs[0].Attributes[0].Value != id {
			t.Errorf("%q becomes %v", id, dn)
		}
		if _, err := ldap.CompileFilter("(memberUid=" + ldap.EscapeFilter(id) + ")"); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	})
}
