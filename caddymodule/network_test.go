package caddymodule

import (
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
)

// TestKeptListeners: before an upgrade the operator is told what can't be handed over.
func TestKeptListeners(t *testing.T) {
	all, noHTTP3 := []string{"h1", "h2", "h3"}, []string{"h1", "h2"}
	secure := caddytls.ConnectionPolicies{{}}
	const udp, made = "requests by HTTP/3 to ", "connections that were just being made to "
	for _, test := range []struct {
		name   string
		server *caddyhttp.Server
		warns  []string
		fails  string
	}{
		{"kept", &caddyhttp.Server{Listen: []string{"parse/:80"}, Protocols: all}, nil, ""},
		{"kept, TLS", &caddyhttp.Server{Listen: []string{"parse/:443"}, Protocols: all, TLSConnPolicies: secure}, []string{udp + ":443"}, ""},
		{"kept, TLS without HTTP/3", &caddyhttp.Server{Listen: []string{"parse/:443"}, Protocols: noHTTP3, TLSConnPolicies: secure}, nil, ""},
		{"one address without HTTP/3", &caddyhttp.Server{
			Listen: []string{"parse/:443", "parse/:444"}, Protocols: all, ListenProtocols: [][]string{noHTTP3, nil}, TLSConnPolicies: secure,
		}, []string{udp + ":444"}, ""},
		{"not kept", &caddyhttp.Server{Listen: []string{":443"}, Protocols: all, TLSConnPolicies: secure}, []string{made + ":443", udp + ":443"}, ""},
		{"a descriptor", &caddyhttp.Server{Listen: []string{"fd/3"}, Protocols: all}, nil, ""},
		{"a unix socket", &caddyhttp.Server{Listen: []string{"unix//run/parse.sock"}, Protocols: all}, nil, "can't be handed over"},
	} {
		a := App{appState: &appState{http: &caddyhttp.App{Servers: map[string]*caddyhttp.Server{"srv0": test.server}}}}
		warnings, err := a.keptListeners()
		if (err != nil) != (test.fails != "") || err != nil && !strings.Contains(err.Error(), test.fails) {
			t.Errorf("%s: %v", test.name, err)
		}
		if !slices.EqualFunc(warnings, test.warns, strings.HasPrefix) {
			t.Errorf("%s: warned of %q, want %q", test.name, warnings, test.warns)
		}
	}
}

// TestKept are the addresses of servers, and those at which they listen if their connections are kept.
func TestKept(t *testing.T) {
	for address, want := range map[string]string{
		":80":               "parse/:80",
		"localhost:80":      "parse/localhost:80",
		"tcp/[::1]:80-82":   "parse/[::1]:80-82",
		"TCP4/0.0.0.0:80":   "parse4/0.0.0.0:80",
		"tcp6/:80":          "parse6/:80",
		"parse/:80":         "parse/:80",
		"udp/:80":           "udp/:80",
		"unix//run/x.sock":  "unix//run/x.sock",
		"fd/3":              "fd/3",
		"tcp/:no-such-port": "tcp/:no-such-port",
	} {
		if got := kept(address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

// TestOneAddressOfTwoServers is refused if one of them keeps its connections: each would get some of the other's.
func TestOneAddressOfTwoServers(t *testing.T) {
	for _, test := range []struct {
		name   string
		listen [2]string
		fails  bool
	}{
		{"one is kept", [2]string{":80", "parse/:80"}, true},
		{"of one version of IP", [2]string{"parse4/:80", "tcp4/:80"}, true},
		{"within ports", [2]string{":80-82", "parse/:81"}, true},
		{"two ports", [2]string{":80", "parse/:81"}, false},
		{"two addresses", [2]string{"127.0.0.1:80", "parse/127.0.0.2:80"}, false},
	} {
		a := App{appState: &appState{http: &caddyhttp.App{Servers: map[string]*caddyhttp.Server{
			"srv0": {Listen: test.listen[:1]}, "srv1": {Listen: test.listen[1:]},
		}}}}
		if err := a.checkListeners(); (err != nil) != test.fails {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
