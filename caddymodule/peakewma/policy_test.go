package peakewma

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/parsescale/parsescale/server/testservices"
)

func adapt(caddyfile string) ([]byte, error) {
	b, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	return b, err
}

func inProxy(upstreams, settings string) string {
	return "{\n\tadmin off\n}\n:9 {\n\treverse_proxy " + upstreams + " {\n" + settings + "\n\t}\n}"
}

func TestCaddyfile(t *testing.T) {
	for _, test := range []struct{ name, settings, want string }{
		{"as it is", "lb_policy peak_ewma", `{"policy":"peak_ewma"}`},
		{"decay", "lb_policy peak_ewma {\ndecay 5s\n}", `{"decay":5000000000,"policy":"peak_ewma"}`},
		{"slow start", "lb_policy peak_ewma {\nslow_start 1m\n}", `{"policy":"peak_ewma","slow_start":60000000000}`},
		{"no slow start", "lb_policy peak_ewma {\nslow_start off\n}", `{"no_slow_start":true,"policy":"peak_ewma"}`},
	} {
		b, err := adapt(inProxy("10.0.0.1:1337 10.0.0.2:1337", test.settings))
		if err != nil {
			t.Fatal(err)
		}
		if want := `"selection_policy":` + test.want; !strings.Contains(string(b), want) {
			t.Errorf("%s: %s lacks %s", test.name, b, want)
		}
	}
}

func TestCaddyfileErrors(t *testing.T) {
	for _, test := range []struct{ name, settings, want string }{
		{"an argument", "lb_policy peak_ewma 5s", "wrong argument count"},
		{"an unknown setting", "lb_policy peak_ewma {\nspeed 1\n}", `unknown setting "speed" of peak_ewma; known are decay and slow_start`},
		{"decay that isn't a time", "lb_policy peak_ewma {\ndecay slow\n}", "decay takes a duration above zero"},
		{"decay of nothing", "lb_policy peak_ewma {\ndecay 0s\n}", "decay takes a duration above zero"},
		{"decay without a time", "lb_policy peak_ewma {\ndecay\n}", "wrong argument count"},
		{"decay twice", "lb_policy peak_ewma {\ndecay 1s\ndecay 2s\n}", "decay is given twice"},
		{"slow start that isn't a time", "lb_policy peak_ewma {\nslow_start on\n}", "slow_start takes a duration above zero"},
		{"slow start without a time", "lb_policy peak_ewma {\nslow_start\n}", "wrong argument count"},
		{"slow start twice", "lb_policy peak_ewma {\nslow_start 1s\nslow_start 2s\n}", "slow_start is given twice"},
		{"slow start and none", "lb_policy peak_ewma {\nslow_start 1s\nslow_start off\n}", "slow_start is given twice"},
		{"no slow start and one", "lb_policy peak_ewma {\nslow_start off\nslow_start 1s\n}", "slow_start is given twice"},
	} {
		_, err := adapt(inProxy("10.0.0.1:1337", test.settings))
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "Caddyfile:") {
			t.Errorf("%s: got %v, want an error with %q and the line", test.name, err, test.want)
		}
	}
}

// proxy is a server of Caddy's with a reverse_proxy.
type proxy struct {
	*caddyhttp.Server
	handler *reverseproxy.Handler
}

func start(t *testing.T, caddyfile string) proxy {
	t.Helper()
	b, err := adapt(caddyfile)
	if err != nil {
		t.Fatal(err)
	}
	var config caddy.Config
	if err := json.Unmarshal(b, &config); err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(&config)
	if err != nil {
		t.Fatal(err)
	}
	app, err := ctx.App("http")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range app.(*caddyhttp.App).Servers {
		h := s.Routes[0].Handlers[0].(*reverseproxy.Handler)
		t.Cleanup(func() {
			if err := h.LoadBalancing.SelectionPolicy.(*Policy).Cleanup(); err != nil {
				t.Error(err)
			}
		})
		return proxy{s, h}
	}
	t.Fatal("there is no server")
	return proxy{}
}

func (p proxy) policy() *Policy { return p.handler.LoadBalancing.SelectionPolicy.(*Policy) }

func (p proxy) get(path string) int {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest("GET", path, http.NoBody))
	return w.Code
}

// TestBusyUpstreamIsLeftAlone has one upstream hold its first request: all others go to the other one meanwhile.
func TestBusyUpstreamIsLeftAlone(t *testing.T) {
	release, held := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	var asked [2]atomic.Int64
	var holder atomic.Int64
	var list []string
	for i := range 2 {
		s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			asked[i].Add(1)
			if first.CompareAndSwap(false, true) {
				holder.Store(int64(i))
				close(held)
				<-release
			}
		}))
		defer s.Close()
		list = append(list, strings.TrimPrefix(s.URL, "http://"))
	}
	p := start(t, inProxy(strings.Join(list, " "), "lb_policy peak_ewma"))
	var wg sync.WaitGroup
	wg.Go(func() { p.get("/") })
	<-held
	for range 30 {
		if code := p.get("/"); code != http.StatusOK {
			t.Fatalf("status %d", code)
		}
	}
	if n := asked[holder.Load()].Load(); n != 1 {
		t.Errorf("the upstream that answers nothing got %d requests, want 1", n)
	}
	close(release)
	wg.Wait()
	for _, u := range list {
		if n := p.policy().table.node(u).InFlight(); n != 0 {
			t.Errorf("%d requests are left under way at %s", n, u)
		}
	}
}

// TestTriedUpstreamIsLeftOut has one upstream refuse connections: no request fails, for none tries it twice.
func TestTriedUpstreamIsLeftOut(t *testing.T) {
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	alive := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer alive.Close()
	p := start(t, inProxy(strings.TrimPrefix(dead.URL, "http://")+" "+strings.TrimPrefix(alive.URL, "http://"), "lb_policy peak_ewma {\ndecay 1s\n}\nlb_retries 1"))
	for range 50 {
		if code := p.get("/"); code != http.StatusOK {
			t.Fatalf("status %d", code)
		}
	}
}

// TestNoUpstream: Caddy answers by itself.
func TestNoUpstream(t *testing.T) {
	nobody := fmt.Sprintf("127.0.0.1:%d", testservices.FreePort(t)) // Caddy remembers for an hour that it failed
	p := start(t, inProxy(nobody, "lb_policy peak_ewma {\ndecay 2s\n}\nfail_duration 1h\nmax_fails 1"))
	if first, second := p.get("/"), p.get("/"); first != http.StatusBadGateway || second != http.StatusServiceUnavailable {
		t.Errorf("status %d, then %d", first, second)
	}
}

// TestReloadKeepsWhatIsKnown provisions a second config before the first one is cleaned up.
func TestReloadKeepsWhatIsKnown(t *testing.T) {
	one := start(t, inProxy("127.0.0.1:1", "lb_policy peak_ewma {\ndecay 3s\n}"))
	two := start(t, inProxy("127.0.0.1:1 127.0.0.1:2", "lb_policy peak_ewma {\ndecay 3s\n}"))
	other := start(t, inProxy("127.0.0.1:1", "lb_policy peak_ewma {\ndecay 4s\n}"))
	if one.policy().table != two.policy().table || one.policy().table == other.policy().table {
		t.Error("equal policies share what they know, others don't")
	}
}

// TestTransportStaysWhatItWas: what Caddy asks the transport is answered by the one that was configured.
func TestTransportStaysWhatItWas(t *testing.T) {
	p := start(t, inProxy("127.0.0.1:1", "lb_policy peak_ewma\ntransport http {\nproxy_protocol v1\ntls\n}"))
	m := p.handler.Transport.(*measured)
	if !m.ProxyProtocolEnabled() || !m.TLSEnabled() || m.RequestHeaderOps() == nil || m.RequiresContentLength() {
		t.Error("an interface of the transport isn't passed on")
	}
	plain := start(t, inProxy("127.0.0.1:1", "lb_policy peak_ewma"))
	if m := plain.handler.Transport.(*measured); m.ProxyProtocolEnabled() || m.TLSEnabled() {
		t.Error("the default transport has become another one")
	}
}

func TestProvisionErrors(t *testing.T) {
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	for want, p := range map[string]*Policy{
		"must not be negative":         {Decay: -1},
		"can't be a time and off":      {SlowStart: 1, NoSlowStart: true},
		"is a policy of reverse_proxy": {},
	} {
		if err := p.Provision(ctx); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

// roundTripper is a transport that answers as told.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// clock is a clock that stands.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// TestForgetting: addresses that come and go don't stay for ever.
func TestForgetting(t *testing.T) {
	c := &clock{time.Now()}
	tab := newTable(tableKey{})
	tab.now = c.Now
	stays := tab.node("stays")
	busy := tab.node("busy")
	busy.Begin()
	for i := range 100 {
		c.now = c.now.Add(2 * time.Minute)
		tab.node(fmt.Sprint(i))
		if tab.node("stays") != stays {
			t.Fatal("an upstream that is listed was forgotten")
		}
	}
	if n := len(tab.nodes); n > 10 {
		t.Errorf("%d upstreams are remembered", n)
	}
	if tab.nodes["busy"].node != busy {
		t.Error("an upstream with a request under way was forgotten")
	}
}

// TestMeasured has attempts end in every way.
func TestMeasured(t *testing.T) {
	answer := func(status int) roundTripper {
		return func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("x"))}, nil
		}
	}
	breaksOff := roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF))}, nil
	})
	fails := roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("broken") })
	for _, test := range []struct {
		name, path string
		transport  roundTripper
		gone       bool // the client has left
		known      bool // the latency
		bad        bool // it is that of a failure
		tried      bool
	}{
		{"an answer", "/classes/A", answer(200), false, true, false, false},
		{"an error of Parse", "/classes/A", answer(500), false, true, false, false},
		{"an answer that breaks off", "/classes/A", breaksOff, false, true, true, false},
		{"an answer of cloud code that breaks off", "/functions/report", breaksOff, false, true, true, false},
		{"an answer that breaks off for a client that leaves", "/classes/A", breaksOff, true, true, false, false},
		{"an overloaded upstream", "/classes/A", answer(503), false, true, true, true},
		{"a broken connection", "/classes/A", fails, false, true, true, true},
		{"a client that leaves", "/classes/A", fails, true, false, false, false},
		{"cloud code", "/functions/report", answer(200), false, false, false, false},
		{"a WebSocket", "/", answer(101), false, false, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := start(t, inProxy("127.0.0.1:1", "lb_policy peak_ewma {\nslow_start off\n}"))
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			tab := newTable(tableKey{slowStart: -1})
			var asked *http.Request
			m := p.handler.Transport.(*measured)
			m.table = tab
			m.RoundTripper = roundTripper(func(r *http.Request) (*http.Response, error) {
				asked = r
				if n := tab.node("127.0.0.1:1").InFlight(); n != 1 {
					t.Errorf("%d requests are under way, want 1", n)
				}
				if test.gone {
					cancel()
				}
				return test.transport(r)
			})
			func() {
				defer func() { _ = recover() }() // an answer that breaks off aborts the handler
				p.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", test.path, http.NoBody).WithContext(ctx))
			}()
			status := tab.node("127.0.0.1:1").Status()
			if status.InFlight != 0 {
				t.Errorf("%d requests are left under way", status.InFlight)
			}
			if known := status.Latency > 0; known != test.known {
				t.Errorf("the latency is %v", status.Latency)
			}
			if bad := status.Latency >= time.Second/2; bad != test.bad {
				t.Errorf("the latency is %v, that of a failure: %v", status.Latency, test.bad)
			}
			if n := len(tried(asked)); n > 0 != test.tried {
				t.Errorf("%d upstreams count as tried", n)
			}
		})
	}
}
