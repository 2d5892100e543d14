package ledger

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/parsescale/parsescale/policies/ratelimit"
	"github.com/parsescale/parsescale/policies/request"
	"github.com/parsescale/parsescale/server/testservices"
)

// patient is a time-out that a loaded machine keeps.
const patient = 5 * time.Second

func open(t testing.TB, o Options) *Redis {
	t.Helper()
	r, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// node is one of several gateways.
type node struct {
	redis  *Redis
	shared *ratelimit.Shared
	zones  ratelimit.Zones
}

func newNode(t testing.TB, o Options, mode ratelimit.Mode, failure ratelimit.Failure, rates ...string) *node {
	t.Helper()
	n := &node{redis: open(t, o)}
	n.redis.Start()
	n.shared = ratelimit.NewShared(n.redis.App("app"), mode, failure)
	n.shared.Start()
	t.Cleanup(n.shared.Close)
	for i, text := range rates {
		p, err := ratelimit.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		p.Name = fmt.Sprint("z", i)
		l, err := ratelimit.New([]ratelimit.Policy{p}, ratelimit.Options{Name: p.Name})
		if err != nil {
			t.Fatal(err)
		}
		n.zones = append(n.zones, &ratelimit.Zone{Name: p.Name, Key: ratelimit.ByApp, Limiter: l})
	}
	return n
}

// nodes are some that know of each other.
func nodes(t testing.TB, n int, o Options, mode ratelimit.Mode, failure ratelimit.Failure, rates ...string) []*node {
	t.Helper()
	all := make([]*node, n)
	for i := range all {
		all[i] = newNode(t, o, mode, failure, rates...)
	}
	for _, one := range all {
		await(t, "the gateways know of each other", func() bool { return one.redis.Gateways() == n })
	}
	return all
}

var (
	someone = ratelimit.Client{App: "app", IP: "10.0.0.1"}
	simple  = &request.Request{Op: request.Find, Cost: 1}
)

func (n *node) ask() ratelimit.Charged { return n.zones.Take(n.shared, someone, simple) }

func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it doesn't come to this: %s", what)
		}
	}
}

// drain asks until nothing is left, and returns how often that passed and between what times it was found out.
func (n *node) drain() (passed int64, before, after time.Time) {
	for {
		before = time.Now()
		if !n.ask().OK {
			return passed, before, time.Now()
		}
		passed++
	}
}

// load has all nodes ask as fast as they can, or with pauses, for a key that has nothing left, and returns how many requests
// passed until nothing was left again, and in what time: between least and most, for nobody knows when Redis was asked. What has
// come back after full isn't kept: while nobody asks for longer, as on a machine that stands still, that time isn't in least.
func load(all []*node, d, pause, full time.Duration) (passed int64, least, most time.Duration) {
	_, first, begin := all[0].drain()
	var n, last, lost atomic.Int64
	var wg sync.WaitGroup
	for _, one := range all {
		for range 2 {
			wg.Go(func() {
				for time.Since(begin) < d {
					if one.ask().OK {
						n.Add(1)
					}
					now := int64(time.Since(begin))
					if idle := now - last.Swap(now) - int64(full); idle > 0 {
						lost.Add(idle)
					}
					time.Sleep(pause)
				}
			})
		}
	}
	wg.Wait()
	left, before, after := all[0].drain() // what a machine that is busy with other things has left
	return n.Load() + left, before.Sub(begin) - time.Duration(lost.Load()), after.Sub(first)
}

// TestFiveGateways has five ask for more than a rate allows.
func TestFiveGateways(t *testing.T) {
	r := testservices.StartRedis(t)
	t.Run("exact", func(t *testing.T) {
		all := nodes(t, 5, Options{URL: r.URL, Deployment: "exact", Timeout: patient}, ratelimit.Exact, ratelimit.Closed, "300/1s burst 300")
		passed, least, most := load(all, 1500*time.Millisecond, 0, time.Second)
		from, to := least.Seconds()*300, most.Seconds()*300
		t.Logf("%d requests passed in %s; the rate says %.0f to %.0f", passed, most, from, to)
		if float64(passed) > 1+to || float64(passed) < .99*from-1 {
			t.Errorf("%d requests passed in %s, want %.0f less 1%% and one at most, to %.0f", passed, most, from, to)
		}
	})
	t.Run("lease", func(t *testing.T) {
		all := nodes(t, 5, Options{URL: r.URL, Deployment: "lease", Timeout: patient}, ratelimit.Lease, ratelimit.Closed, "500/1s burst 100")
		passed, least, most := load(all, 1500*time.Millisecond, 200*time.Microsecond, 200*time.Millisecond)
		// What one gateway thought was left may be more or less than nothing: by the burst, or by the allowances.
		from, to, over := least.Seconds()*500, 100+most.Seconds()*500, float64(5*20) // N·⌈Burst/N⌉
		t.Logf("%d requests passed in %s; the rate says %.0f, with the allowances %.0f", passed, most, to, to+over)
		if float64(passed) > 1+to+over || float64(passed) < .95*from-over {
			t.Errorf("%d requests passed in %s, want %.0f to %.0f", passed, most, .95*from-over, to+over)
		}
	})
	t.Run("lease, a burst at once", func(t *testing.T) {
		all := nodes(t, 5, Options{URL: r.URL, Deployment: "burst", Timeout: patient}, ratelimit.Lease, ratelimit.Closed, "20/1h")
		var passed atomic.Int64
		var wg sync.WaitGroup
		for _, one := range all {
			wg.Go(func() {
				for begin := time.Now(); time.Since(begin) < 300*time.Millisecond; {
					if one.ask().OK {
						passed.Add(1)
					}
				}
			})
		}
		wg.Wait()
		t.Logf("%d requests passed; the rate says 20, with the allowances 40", passed.Load())
		if passed.Load() < 20 || passed.Load() > 40 {
			t.Errorf("%d requests passed, want 20 to 40", passed.Load())
		}
	})
	t.Run("lease, one gateway", func(t *testing.T) {
		all := nodes(t, 1, Options{URL: r.URL, Deployment: "single", Timeout: patient}, ratelimit.Lease, ratelimit.Closed, "20/1h")
		for i := range 30 {
			if d := all[0].ask(); d.OK != (i < 20) {
				t.Fatalf("request %d: %+v", i, d.Decision)
			}
		}
	})
}

// TestAllOrNothing checks the script against what a limiter does.
func TestAllOrNothing(t *testing.T) {
	r := testservices.StartRedis(t)
	n := newNode(t, Options{URL: r.URL, Timeout: patient}, ratelimit.Exact, ratelimit.Closed, "10/1h", "3/1h")
	for i := range 6 {
		d := n.ask()
		if d.OK != (i < 3) || d.Zone != n.zones[1] || d.Remaining != int64(max(0, 2-i)) {
			t.Fatalf("request %d: %+v", i, d.Decision)
		}
		if !d.OK && (d.RetryAfter < 19*time.Minute || d.RetryAfter > 20*time.Minute) {
			t.Errorf("request %d is to come again after %s", i, d.RetryAfter)
		}
	}
	n.zones[1].DryRun = true // what it refuses passes, and it isn't charged
	for i := range 10 {
		d := n.ask()
		if d.OK != (i < 7) || d.OK && d.Remaining != int64(6-i) { // 3 of the 10 were charged
			t.Fatalf("request %d of the dry run: %+v", i, d.Decision)
		}
		if i == 6 {
			d.GiveBack(1)
			await(t, "what was given back can be taken again", func() bool { return n.ask().OK })
		}
	}
	if s := n.zones[1].Limiter.Stats(); s.Allowed != 3 || s.Refused != 3 || s.DryRun < 8 {
		t.Errorf("the zone's decisions are %+v", s)
	}
}

// TestKeysInRedis: they are hashes under the deployment's name, with one hash tag, and go when their time has passed.
func TestKeysInRedis(t *testing.T) {
	r := testservices.StartRedis(t)
	n := newNode(t, Options{URL: r.URL, Deployment: "shop", Timeout: patient}, ratelimit.Exact, ratelimit.Closed, "20/40s", "1000/1s")
	n.zones[0].Key = ratelimit.BySession
	c := someone
	c.Session = "r:secret"
	if d := n.zones.Take(n.shared, c, simple); !d.OK {
		t.Fatalf("refused: %+v", d.Decision)
	}
	client := redis.NewClient(must(redis.ParseURL(r.URL)))
	defer client.Close()
	keys := must(client.Keys(context.Background(), "*").Result())
	limits := 0
	for _, key := range keys {
		ttl := must(client.PTTL(context.Background(), key).Result())
		switch {
		case strings.Contains(key, "secret") || strings.Contains(key, "10.0.0.1"):
			t.Errorf("the key %s tells a secret", key)
		case ttl == -1 || ttl > beatFor: // which is none
			t.Errorf("the key %s lives %s", key, ttl)
		case strings.HasPrefix(key, "parsescale:{shop:app}:limit:"):
			limits++
		case key != "parsescale:{shop}:gateways":
			t.Errorf("there is a key %s", key)
		}
	}
	if limits < 1 || limits > 2 { // the second's time may have passed
		t.Errorf("the keys are %v", keys)
	}
	for i := range 2000 {
		c.Session = fmt.Sprint("r:", i)
		n.zones[:1].Take(n.shared, c, simple)
	}
	if got := must(client.DBSize(context.Background()).Result()); got < 100 {
		t.Errorf("%d keys are there", got)
	}
	await(t, "all keys are gone but the list of gateways", func() bool { return must(client.DBSize(context.Background()).Result()) == 1 })
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestCluster runs the scripts on a server that insists on the rules of a Redis Cluster.
func TestCluster(t *testing.T) {
	r := testservices.StartRedis(t, "--cluster-enabled", "yes")
	client := redis.NewClient(must(redis.ParseURL(r.URL)))
	defer client.Close()
	if err := client.Do(context.Background(), "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	await(t, "the cluster is there", func() bool {
		return strings.Contains(must(client.ClusterInfo(context.Background()).Result()), "cluster_state:ok")
	})
	for name, url := range map[string]string{"one address": r.URL, "several addresses": strings.TrimSuffix(r.URL, "/0") + "?addr=" + r.Address} {
		t.Run(name, func(t *testing.T) {
			for _, mode := range []ratelimit.Mode{ratelimit.Exact, ratelimit.Lease} {
				n := nodes(t, 1, Options{URL: url, Deployment: string(mode) + strings.Fields(name)[0], Timeout: patient}, mode, ratelimit.Closed, "10/1h", "2/1h", "5/1h")
				for i := range 3 {
					if d := n[0].ask(); d.OK != (i < 2) {
						t.Fatalf("%s: request %d: %+v", mode, i, d.Decision)
					}
				}
				await(t, "all is reported", func() bool { return n[0].shared.Stats().Unreported == 0 })
				if s := n[0].shared.Stats(); s.Failures+n[0].redis.Failures() > 0 {
					t.Errorf("%s: %+v", mode, s)
				}
			}
		})
	}
}

// TestFaults has Redis die, hang and be slow, and come back: a request never waits longer than the time-out, what was configured
// for such a time holds, and once it is over the limits are shared again.
func TestFaults(t *testing.T) {
	const (
		timeout = 100 * time.Millisecond
		late    = timeout + 400*time.Millisecond // a loaded machine's
	)
	for _, fault := range []struct {
		name       string
		begin, end func(*testing.T, *testservices.Redis, *testservices.Proxy)
	}{
		{"killed and restarted", func(_ *testing.T, r *testservices.Redis, _ *testservices.Proxy) { r.Kill() },
			func(t *testing.T, r *testservices.Redis, _ *testservices.Proxy) { r.Restart(t) }},
		{"slow", func(_ *testing.T, _ *testservices.Redis, p *testservices.Proxy) { p.Delay(time.Second) },
			func(_ *testing.T, _ *testservices.Redis, p *testservices.Proxy) { p.Delay(0) }},
	} {
		for _, mode := range []ratelimit.Mode{ratelimit.Exact, ratelimit.Lease} {
			for _, failure := range []ratelimit.Failure{ratelimit.Local, ratelimit.Open, ratelimit.Closed} {
				t.Run(fmt.Sprint(fault.name, " ", mode, " ", failure), func(t *testing.T) {
					t.Parallel()
					r := testservices.StartRedis(t)
					p := testservices.StartProxy(t, r.Address)
					changes := make(chan bool, 100)
					n := newNode(t, Options{URL: r.At(p.Address), Timeout: timeout, OnChange: func(up bool) { changes <- up }}, mode, failure, "3/1h")
					n.ask()
					await(t, "it is counted", func() bool { return n.redis.Gateways() == 1 && n.shared.Stats().Unreported == 0 })
					fault.begin(t, r, p)
					slowest, passed, asked := time.Duration(0), 0, 0
					for begin := time.Now(); n.redis.Up() || asked < 10; asked++ {
						before := time.Now()
						d := n.ask()
						slowest = max(slowest, time.Since(before))
						if d.OK {
							passed++
						}
						if time.Since(begin) > 20*time.Second {
							t.Fatal("it isn't noticed")
						}
						time.Sleep(10 * time.Millisecond)
					}
					if slowest > late {
						t.Errorf("a request took %s, the time-out is %s", slowest, timeout)
					}
					before, noticed := time.Now(), 0
					for range 1000 {
						if d := n.ask(); d.OK {
							noticed++
						}
					}
					if took := time.Since(before); took > time.Second {
						t.Errorf("1000 requests took %s without Redis", took)
					}
					if s := n.shared.Stats(); s.Without < 1000 || s.Up {
						t.Errorf("the statistics are %+v", s)
					}
					switch {
					case failure == ratelimit.Local && passed+noticed > 2:
						t.Errorf("%d requests passed of a key that gets 3", 1+passed+noticed)
					case failure == ratelimit.Open && noticed < 1000:
						t.Errorf("%d of 1000 requests passed, want all", noticed)
					case failure == ratelimit.Closed && (noticed > 0 || passed > 2):
						t.Errorf("%d requests passed before it was noticed and %d of 1000 after, want 2 at most and none", passed, noticed)
					}
					fault.end(t, r, p)
					await(t, "it is back", n.redis.Up)
					without := n.shared.Stats().Without
					n.ask()
					if n.shared.Stats().Without != without {
						t.Error("it is back, and isn't asked")
					}
					if gone, back := <-changes, <-changes; gone || !back {
						t.Error("the changes aren't told in order")
					}
				})
			}
		}
	}
}

// TestFullRedis charges more keys than Redis has room for. If it may drop those that end soonest, nothing fails.
func TestFullRedis(t *testing.T) {
	r := testservices.StartRedis(t, "--maxmemory", "4mb", "--maxmemory-policy", "volatile-ttl")
	app := open(t, Options{URL: r.URL, Timeout: patient}).App("app")
	const keys, batch = 100_000, 500
	entries := make([]ratelimit.Entry, batch)
	for i := 0; i < keys; i += batch {
		for j := range entries {
			entries[j] = ratelimit.Entry{Key: fmt.Sprintf("%022d", i+j), Add: time.Hour}
		}
		if _, err := app.Report(entries); err != nil {
			t.Fatalf("after %d keys: %v", i, err)
		}
	}
	client := redis.NewClient(must(redis.ParseURL(r.URL)))
	defer client.Close()
	if n := must(client.DBSize(context.Background()).Result()); n < 1000 || n > keys/2 {
		t.Errorf("%d keys are there", n)
	}
	if _, err := app.Charge([]ratelimit.Entry{{Key: "x", Add: time.Second, Tolerance: time.Hour}}); err != nil {
		t.Error(err)
	}
}

// TestTLS asks a Redis behind TLS, whose certificate is checked unless the address says otherwise.
func TestTLS(t *testing.T) {
	r := testservices.StartRedis(t)
	certificates := httptest.NewTLSServer(nil)
	certificates.Close()
	l := must(tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: certificates.TLS.Certificates}))
	defer l.Close()
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			go func() {
				defer client.Close()
				server, err := net.Dial("tcp", r.Address)
				if err != nil {
					return
				}
				go func() {
					defer server.Close()
					_, _ = io.Copy(server, client) // until either leaves
				}()
				_, _ = io.Copy(client, server)
			}()
		}
	}()
	address := strings.Replace(r.At(l.Addr().String()), "redis://", "rediss://", 1)
	n := newNode(t, Options{URL: address + "?skip_verify=true", Timeout: patient}, ratelimit.Exact, ratelimit.Closed, "1/1h")
	if d := n.ask(); !d.OK {
		t.Errorf("refused: %+v, %+v", d.Decision, n.shared.Stats())
	}
	n = newNode(t, Options{URL: address, Timeout: patient}, ratelimit.Exact, ratelimit.Closed, "1/1h")
	if d := n.ask(); d.OK || n.redis.Failures() == 0 {
		t.Errorf("a certificate of nobody's is accepted: %+v", n.shared.Stats())
	}
}

// TestOpenRefuses lists addresses that can't be used. No error repeats the password.
func TestOpenRefuses(t *testing.T) {
	for _, o := range []Options{
		{URL: ""}, {URL: "localhost:6379"}, {URL: "http://:secret@localhost"}, {URL: "redis://:secret@localhost:6379/x"},
		{URL: "redis://:secret@localhost:port"}, {URL: "redis://:secret@localhost?addr=%zz"}, {URL: "redis://:secret%@localhost"},
		{URL: "redis://:secret@localhost", Deployment: "a{b"}, {URL: "redis://:secret@localhost", Timeout: -1},
		{URL: "redis://:secret@localhost?nonsense=1"}, {URL: "rediss://:secret@localhost?addr=a:1&nonsense=1"},
	} {
		if r, err := Open(o); err == nil {
			_ = r.Close()
			t.Errorf("%+v is accepted", o)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
	for _, good := range []string{"redis://localhost", "rediss://user:secret@localhost:6380/1", "unix:///run/redis.sock", "redis://a:1?addr=b:2"} {
		if r, err := Open(Options{URL: good}); err != nil {
			t.Errorf("%s: %v", good, err)
		} else if r.Close() != nil {
			t.Errorf("%s can't be closed", good)
		}
	}
}

// TestNothingIsLeft checks that what was started ends.
func TestNothingIsLeft(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	r, err := Open(Options{URL: "redis://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	r.Start()
	s := ratelimit.NewShared(r.App("a"), ratelimit.Lease, ratelimit.Local)
	s.Start()
	await(t, "it is noticed that nobody is there", func() bool { return !r.Up() })
	s.Close()
	if err := errors.Join(r.Close()); err != nil {
		t.Error(err)
	}
}

func BenchmarkTake(b *testing.B) {
	r := testservices.StartRedis(b)
	for _, mode := range []ratelimit.Mode{ratelimit.Exact, ratelimit.Lease} {
		b.Run(string(mode), func(b *testing.B) {
			n := newNode(b, Options{URL: r.URL, Deployment: string(mode), Timeout: patient}, mode, ratelimit.Closed, "1000000000/1s", "1000000/1s burst 1000000000")
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if !n.ask().OK {
						b.Fail()
					}
				}
			})
		})
	}
}
