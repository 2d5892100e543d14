package caddymodule

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/prometheus/client_golang/prometheus"
)

func TestScalingSettings(t *testing.T) {
	up := []string{"10.0.0.1:1337"}
	for _, test := range []struct {
		name   string
		config AppConfig
		want   [2]int // zero: it doesn't scale
		err    string
	}{
		{"a fixed number", AppConfig{Workers: &Workers{Count: 2}}, [2]int{}, ""},
		{"between two", AppConfig{Workers: &Workers{Count: 2, Max: 8}}, [2]int{2, 8}, ""},
		{"from the default", AppConfig{Workers: &Workers{Max: 8}}, [2]int{2, 8}, ""},
		{"upstreams without a word", AppConfig{Upstreams: up}, [2]int{}, ""},
		{"upstreams", AppConfig{Upstreams: up, Autoscale: &AutoscaleConfig{Min: 1, Max: 3}}, [2]int{1, 3}, ""},
		{"upstreams without bounds", AppConfig{Upstreams: up, Autoscale: &AutoscaleConfig{}}, [2]int{}, "autoscale of upstreams needs two numbers, such as: autoscale 2 10"},
		{"the processors of this machine, for upstreams", AppConfig{Upstreams: up, Autoscale: &AutoscaleConfig{Min: 1, Max: 3, MaxCPU: 0.5}}, [2]int{}, "max_cpu is for bundled workers"},
		{"more than all processors", AppConfig{Workers: &Workers{Count: 2, Max: 8}, Autoscale: &AutoscaleConfig{MaxCPU: 1.5}}, [2]int{}, "max_cpu takes a share above 0 and at most 1"},
		{"less than none", AppConfig{Workers: &Workers{Count: 2, Max: 8}, Autoscale: &AutoscaleConfig{MaxCPU: -0.5}}, [2]int{}, "max_cpu takes a share above 0 and at most 1"},
		{"bounds in both places", AppConfig{Workers: &Workers{Count: 2, Max: 8}, Autoscale: &AutoscaleConfig{Min: 1, Max: 2}}, [2]int{}, "takes none here"},
		{"a fixed number that follows the load", AppConfig{Workers: &Workers{Count: 2}, Autoscale: &AutoscaleConfig{Target: 5}}, [2]int{}, "two numbers of workers"},
		{"less at most than at least", AppConfig{Workers: &Workers{Count: 4, Max: 2}}, [2]int{}, "between 4 and 2"},
		{"too many", AppConfig{Workers: &Workers{Count: 4, Max: 2000}}, [2]int{}, "at most 256"},
		{"a webhook without a scheme", AppConfig{Upstreams: up, Autoscale: &AutoscaleConfig{Min: 1, Max: 3, Webhook: "scale.example.com"}}, [2]int{}, "http or https"},
	} {
		s, err := test.config.scaling()
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s: %v, want %q", test.name, err, test.err)
			}
			continue
		}
		got := [2]int{}
		if s != nil {
			got = [2]int{s.min, s.max}
		}
		if err != nil || got != test.want {
			t.Errorf("%s: %v, %v; want %v", test.name, got, err, test.want)
		}
	}
}

// TestWebhook: it is told once of each number, signed, and again after it failed.
func TestWebhook(t *testing.T) {
	var calls, fails atomic.Int32
	var last atomic.Value
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte("secret"))
		mac.Write(body)
		if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); r.Header.Get(SignatureHeader) != want || r.Method != http.MethodPost {
			t.Errorf("%s with the signature %q, want %q", r.Method, r.Header.Get(SignatureHeader), want)
		}
		if calls.Add(1); fails.Add(-1) >= 0 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		var got wanted
		if err := json.Unmarshal(body, &got); err != nil {
			t.Error(err)
		}
		last.Store(got.Desired)
	}))
	defer receiver.Close()
	h := newWebhook(receiver.URL, "secret", slog.New(slog.DiscardHandler))
	tell := func(n int) {
		h.tell(wanted{App: "a", Desired: n})
		for deadline := time.Now().Add(5 * time.Second); h.busy.Load() && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
	}
	fails.Store(1)
	for i, step := range []struct{ desired, calls int }{{2, 1}, {2, 2}, {2, 2}, {3, 3}, {3, 3}} { // the first fails
		if tell(step.desired); int(calls.Load()) != step.calls {
			t.Errorf("step %d: %d calls, want %d", i, calls.Load(), step.calls)
		}
	}
	if last.Load() != 3 {
		t.Errorf("it was told %v at last", last.Load())
	}
	fails.Store(1)
	tell(8) // it fails, but the receiver may have acted
	if tell(3); calls.Load() != 5 || last.Load() != 3 {
		t.Errorf("%d calls, %v told at last; want 5, and 3 again after a failure of 8", calls.Load(), last.Load())
	}
}

// heard are the numbers that the event told, newest last.
var heard struct {
	mu      sync.Mutex
	desired []int
}

// listener is a handler of Caddy's events app.
type listener struct{}

func (listener) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.parsescale_test", New: func() caddy.Module { return new(listener) }}
}

func (*listener) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	return nil
}

func (*listener) Handle(_ context.Context, e caddy.Event) error {
	heard.mu.Lock()
	defer heard.mu.Unlock()
	n, _ := e.Data["desired"].(int)
	heard.desired = append(heard.desired, n)
	return nil
}

func init() { caddy.RegisterModule(listener{}) }

// TestDesiredOfUpstreams: the number follows the load, to the webhook, in the event, and in the metrics.
func TestDesiredOfUpstreams(t *testing.T) {
	told := make(chan int, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var got wanted
		_ = json.NewDecoder(r.Body).Decode(&got)
		told <- got.Desired
	}))
	defer receiver.Close()
	hold := make(chan struct{})
	w := newRecordingWorker(t, func(http.ResponseWriter, *http.Request, string) { <-hold })
	t.Cleanup(func() { close(hold) })
	s := newSite(t, "{\n\tadmin off\n\tevents {\n\t\ton parse_workers_desired parsescale_test\n\t}\n\tparse {\n\t\tupstreams "+w.addr()+"\n\t\thealth_uri /health\n\t\tautoscale 1 5 {\n\t\t\ttarget 2\n\t\t\twebhook "+receiver.URL+"\n\t\t}\n\t}\n}\n:9 {\n\tparse /parse/*\n}")
	if err := activeApp.Load().events.Start(); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		go func() {
			r := httptest.NewRequest("GET", "/parse/classes/A", http.NoBody)
			r.Header.Set("X-Parse-Application-Id", "app")
			s.server.ServeHTTP(httptest.NewRecorder(), r)
		}()
	}
	deadline := time.After(20 * time.Second)
	for {
		select {
		case n := <-told:
			if n < 5 {
				continue
			}
			for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
				heard.mu.Lock()
				told := slices.Clone(heard.desired)
				heard.mu.Unlock()
				if slices.Contains(told, 5) {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("the event told %v", told)
				}
			}
			registry := prometheus.NewPedanticRegistry()
			registry.MustRegister(metrics{activeApp.Load().appState})
			families, err := registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range families {
				if f.GetName() == "parsescale_workers_desired" {
					if v := f.GetMetric()[0].GetGauge().GetValue(); v != 5 {
						t.Errorf("the metric is %v", v)
					}
					return
				}
			}
			t.Error("there is no metric")
			return
		case <-deadline:
			t.Fatal("the webhook was never told that 5 workers are wanted")
		}
	}
}
