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
		{"kept, TLS", &caddyhttp.Server{Listen: []string{"parse/:443"}, Protocols: all, TLSConnPolicies: secure}, []string{udp + "parse/:443"}, ""},
		{"kept, TLS without HTTP/3", &caddyhttp.Server{Listen: []string{"parse/:443"}, Protocols: noHTTP3, TLSConnPolicies: secure}, nil, ""},
		{"one address without HTTP/3", &caddyhttp.Server{
			Listen: []string{"parse/:443", "parse/:444"}, Protocols: all, ListenProtocols: [][]string{noHTTP3, nil}, TLSConnPolicies: secure,
		}, []string{udp + "parse/:444"}, ""},
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
