package caddymodule

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"github.com/parsescale/parsescale/policies/upstream"
)

// nameServer answers over UDP for two names, and fails when it is told to.
func nameServer(t *testing.T) (r *net.Resolver, fail *atomic.Bool) {
	t.Helper()
	fail = new(atomic.Bool)
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{PacketConn: l, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(q)
		head := func(kind uint16) dns.RR_Header {
			return dns.RR_Header{Name: q.Question[0].Name, Rrtype: kind, Class: dns.ClassINET, Ttl: 1}
		}
		switch {
		case fail.Load():
			m.Rcode = dns.RcodeServerFailure
		case q.Question[0].Name == "pods.test." && q.Question[0].Qtype == dns.TypeA:
			m.Answer = []dns.RR{&dns.A{Hdr: head(dns.TypeA), A: net.IPv4(10, 0, 0, 1)}, &dns.A{Hdr: head(dns.TypeA), A: net.IPv4(10, 0, 0, 2)}}
		case q.Question[0].Name == "_parse._tcp.test." && q.Question[0].Qtype == dns.TypeSRV:
			m.Answer = []dns.RR{&dns.SRV{Hdr: head(dns.TypeSRV), Priority: 1, Weight: 3, Port: 81, Target: "go.test."}}
		case q.Question[0].Name != "pods.test.":
			m.Rcode = dns.RcodeNameError
		}
		_ = w.WriteMsg(m)
	})}
	go func() { _ = s.ActivateAndServe() }()
	t.Cleanup(func() { _ = s.Shutdown() })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", l.LocalAddr().String())
	}}, fail
}

// TestRemotes: upstreams that DNS tells of come and go with it, and outlive a DNS that fails.
func TestRemotes(t *testing.T) {
	resolver, fail := nameServer(t)
	r := &remotes{pool: upstream.New(upstream.Options{}), resolver: resolver}
	t.Cleanup(func() { r.stop(); r.pool.Close() })
	for _, test := range []struct {
		name      string
		upstreams []string
		weights   map[string]int
		fail      bool
		want      map[string]int // shares
	}{
		{"named ones", []string{"http://10.0.0.9:80"}, nil, false, map[string]int{"http://10.0.0.9:80": 1}},
		{"addresses of a name", []string{"http://10.0.0.9:80", "dns://pods.test:1337"}, map[string]int{"dns://pods.test:1337": 5}, false,
			map[string]int{"http://10.0.0.9:80": 1, "http://10.0.0.1:1337": 5, "http://10.0.0.2:1337": 5}},
		{"another weight, while the DNS fails", []string{"http://10.0.0.9:80", "dns://pods.test:1337"}, nil, true,
			map[string]int{"http://10.0.0.9:80": 1, "http://10.0.0.1:1337": 1, "http://10.0.0.2:1337": 1}},
		{"one source more, while the DNS fails", []string{"dns://pods.test:1337", "srv://_parse._tcp.test"}, nil, true,
			map[string]int{"http://10.0.0.1:1337": 1, "http://10.0.0.2:1337": 1}},
		{"both", []string{"srv://_parse._tcp.test", "dns://pods.test:81"}, map[string]int{"srv://_parse._tcp.test": 2}, false,
			map[string]int{"http://go.test:81": 6, "http://10.0.0.1:81": 1, "http://10.0.0.2:81": 1}},
		{"one that is also named", []string{"http://10.0.0.1:81", "dns://pods.test:81"}, map[string]int{"http://10.0.0.1:81": 0}, false,
			map[string]int{"http://10.0.0.1:81": 0, "http://10.0.0.2:81": 1}},
		{"none that exists", []string{"dns://nowhere.test:81"}, nil, false, map[string]int{}},
	} {
		fail.Store(test.fail)
		if err := r.apply(test.upstreams, test.weights, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		got := map[string]int{}
		for _, w := range r.pool.Status() {
			got[w.Name] = w.Share
		}
		if len(got) != len(test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
		for name, share := range test.want {
			if s, ok := got[name]; !ok || s != share {
				t.Errorf("%s: %v, want %v", test.name, got, test.want)
				break
			}
		}
	}
	if err := r.apply([]string{"http://10.0.0.9:80", "http://10.0.0.9:80", "dns://pods.test:82"}, nil, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("an upstream is taken twice")
	}
	if err := r.apply([]string{"dns://pods.test:82"}, nil, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if all := r.pool.Status(); len(all) != 2 || all[0].Name != "http://10.0.0.1:82" {
		t.Errorf("after upstreams that were refused: %v", all)
	}
	if err := r.apply([]string{"dns://nowhere"}, nil, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a bad address is taken")
	}
	var none *net.DNSError
	if _, err := resolver.LookupNetIP(t.Context(), "ip", "nowhere.test"); !errors.As(err, &none) {
		t.Errorf("the test's own server: %v", err)
	}
	if all, err := resolver.LookupNetIP(t.Context(), "ip4", "pods.test"); err != nil || !slices.Contains(all, netip.MustParseAddr("10.0.0.1")) {
		t.Errorf("the test's own server: %v, %v", all, err)
	}
}
