package e2e

import (
	"bufio"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/testservices"
)

// site is a gateway under test and what its faults are made with.
type site struct {
	*gateway
	proxies []*faultyProxy // in front of remote workers, of which the first fails

	redis      *testservices.Redis // where the limits are, behind redisProxy; else nil
	redisProxy *testservices.Proxy
}

// faults are the rows of the fault matrix: what goes wrong for a while under load. Whatever it is, a read doesn't fail,
// an acknowledged write isn't lost, and none is done twice.
var faults = []struct {
	name  string
	start func(*testing.T) *site
	// during makes the fault and ends it when the time is over.
	during func(s *site, end time.Time)
	// refused is the share of requests that may be writes without an acknowledgement.
	refused float64
	// settled bounds the time after the fault until no request is slow or fails.
	settled time.Duration
}{
	{"a worker is killed each second", bundledSite, killing, 0.005, 2 * time.Second},
	{"a worker hangs for a while", bundledSite, stopping, 0.005, 2 * time.Second},
	{"a worker hangs for good", bundledSite, stoppingForGood, 0.005, 2 * time.Second},
	{"a worker is slow", remoteSite(slow), inMood, 0, 2 * time.Second},
	{"a worker fails", remoteSite(failing), inMood, 0.2, 2 * time.Second},
	{"half of a worker's answers fail", remoteSite(halfFailing), inMood, 0.2, 2 * time.Second},
	{"a worker refuses connections", remoteSite(healthy), refusing, 0.05, 2 * time.Second},
	{"ten times as many clients", bundledSite, crowding, 0, 2 * time.Second},
	{"a reload every 200 ms", bundledSite, reloading, 0, 2 * time.Second},
	{"Redis is away, and limits are exact", limitedSite("exact"), redisAway, 0, 2 * time.Second},
	{"Redis is away, and limits are leased", limitedSite("lease"), redisAway, 0, 2 * time.Second},
	{"Redis is slow, and limits are exact", limitedSite("exact"), redisSlow, 0, 2 * time.Second},
	{"Redis is killed and started again each second", limitedSite("exact"), redisRestarting, 0, 2 * time.Second},
}

// faultTime is how long each fault lasts: 5 s, or what `make chaos` says.
func faultTime(t *testing.T) time.Duration {
	text := os.Getenv("PARSESCALE_FAULT_TIME")
	if text == "" {
		return 5 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("PARSESCALE_FAULT_TIME: %v", err)
	}
	return d
}

func TestFaults(t *testing.T) {
	testservices.NeedTime(t, "several seconds for each fault")
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			s := f.start(t)
			warm := startNamedLoad(t, "warm", s.url(), 90) // so that what is made once, and what is kept, is there
			time.Sleep(500 * time.Millisecond)
			warm.end()
			warm.leave()
			before := s.resources()

			l := startLoad(t, s.url(), 8)
			time.Sleep(500 * time.Millisecond) // of load without a fault
			f.during(s, time.Now().Add(faultTime(t)))
			ended := time.Now()
			time.Sleep(2 * time.Second) // of load after it
			l.end()

			l.report(t, ended, f.refused, f.settled)
			l.check(t, s.url())
			l.leave()
			s.flat(before)
		})
	}
}

func bundledSite(t *testing.T) *site { return &site{gateway: startGateway(t, bundledApp("", ""))} }

// remoteSite runs two Go workers on one database as remote upstreams, each behind a proxy.
func remoteSite(m mood) func(*testing.T) *site {
	return func(t *testing.T) *site {
		s := &site{}
		database := "sqlite://" + t.TempDir() + "/parse.db"
		var addresses []string
		for range 2 {
			port := testservices.FreePort(t)
			startStandalone(t, t.TempDir(), map[string]any{
				"appId": appID, "masterKey": masterKey, "restAPIKey": restKey, "databaseURI": database,
				"host": "127.0.0.1", "port": port, "allowClientClassCreation": true,
			})
			p := startFaultyProxy(t, fmt.Sprintf("127.0.0.1:%d", port))
			s.proxies, addresses = append(s.proxies, p), append(addresses, p.address)
		}
		s.gateway = startGateway(t, remoteApp(addresses...))
		s.proxies[0].next = m
		return s
	}
}

// limitedSite has bundled workers, and limits in Redis that nobody reaches.
func limitedSite(mode string) func(*testing.T) *site {
	return func(t *testing.T) *site {
		s := &site{redis: testservices.StartRedis(t)}
		s.redisProxy = testservices.StartProxy(t, s.redis.Address)
		s.gateway = startGateway(t, sharing(s.redis.At(s.redisProxy.Address), bundledApp("", "rate_limit {\ndefault 100000/s\nredis "+mode+"\n}")))
		return s
	}
}

// sharing is a Caddyfile whose gateways share limits in a Redis.
func sharing(redis, caddyfile string) string {
	return strings.Replace(caddyfile, "\tparse {\n", "\tparse {\n\t\tredis "+redis+"\n", 1)
}

// inMood lets the first worker be as the site was made for.
func inMood(s *site, end time.Time) {
	p := s.proxies[0]
	p.is(p.next)
	time.Sleep(time.Until(end))
	p.is(healthy)
}

// refusing lets the first worker be away.
func refusing(s *site, end time.Time) {
	s.proxies[0].refuse()
	time.Sleep(time.Until(end))
	s.proxies[0].listen()
}

// redisAway lets Redis be away.
func redisAway(s *site, end time.Time) {
	s.redis.Kill()
	time.Sleep(time.Until(end))
	s.redis.Restart(s.t)
}

// redisSlow has Redis answer 400 ms late, which is later than requests wait.
func redisSlow(s *site, end time.Time) {
	s.redisProxy.Delay(200 * time.Millisecond)
	time.Sleep(time.Until(end))
	s.redisProxy.Delay(0)
}

// redisRestarting kills Redis each second and starts it again at once.
func redisRestarting(s *site, end time.Time) {
	for time.Now().Before(end) {
		s.redis.Kill()
		s.redis.Restart(s.t)
		time.Sleep(time.Second)
	}
}

func killing(s *site, end time.Time) {
	for i := 0; time.Now().Before(end); i++ {
		if pids := s.workers(); len(pids) > 0 {
			_ = syscall.Kill(pids[i%len(pids)], syscall.SIGKILL)
		}
		time.Sleep(time.Second)
	}
}

// stopping stops one worker for less time than the gateway has patience with it, then the other one, and so on.
func stopping(s *site, end time.Time) {
	for i := 0; time.Now().Before(end); i++ {
		if pids := s.workers(); len(pids) > 0 {
			pid := pids[i%len(pids)]
			_ = syscall.Kill(pid, syscall.SIGSTOP)
			time.Sleep(2 * time.Second)
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// stoppingForGood stops a worker, and the next one when the gateway has replaced it and the other one serves.
func stoppingForGood(s *site, end time.Time) {
	for ; time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		pids := s.workers()
		if s.serving() < 2 || syscall.Kill(pids[0], syscall.SIGSTOP) != nil {
			continue
		}
		patience := time.Now().Add(15 * time.Second)
		for slices.Contains(s.workers(), pids[0]) && time.Now().Before(patience) {
			time.Sleep(20 * time.Millisecond)
		}
		if running(pids[0]) {
			s.t.Errorf("the worker %d hangs and wasn't replaced", pids[0])
			_ = syscall.Kill(pids[0], syscall.SIGCONT)
		}
	}
}

// crowding adds clients that do the same as those that are there.
func crowding(s *site, end time.Time) {
	crowd := startNamedLoad(s.t.(*testing.T), "crowd", s.url(), 80)
	time.Sleep(time.Until(end))
	crowd.end()
	crowd.report(s.t.(*testing.T), time.Now(), 0, time.Second)
	crowd.check(s.t.(*testing.T), s.url())
	crowd.leave()
}

func reloading(s *site, end time.Time) {
	for i := 0; time.Now().Before(end); i++ {
		s.reload(func(caddyfile string) string {
			before, _, _ := strings.Cut(caddyfile, "\theader X-Reloads")
			return fmt.Sprintf("%s\n\theader X-Reloads %d\n}\n", strings.TrimSuffix(before, "}\n"), i)
		})
		time.Sleep(200 * time.Millisecond)
	}
}

// slowAnswer is what shows after a fault that it isn't over for the clients. The machines that test are slow.
const slowAnswer = 500 * time.Millisecond

// report checks that nothing failed which may not, and says how long requests took.
func (l *load) report(t *testing.T, ended time.Time, refused float64, settled time.Duration) {
	t.Helper()
	n := l.sum(t)
	var took []time.Duration
	var last time.Duration // after the end of the fault
	for _, c := range l.clients {
		for _, r := range c.times {
			took = append(took, r.took)
			if after := r.end.Sub(ended); (r.failed || r.took > slowAnswer) && after > last {
				last = after
			}
		}
	}
	slices.Sort(took)
	t.Logf("%d requests, %d writes refused, %d of %d catalog reads were hits; p50 %s, p99 %s, longest %s; settled %s after the fault",
		n.requests, n.refused, n.hits, n.reads, took[len(took)/2].Round(time.Microsecond), took[len(took)*99/100].Round(time.Microsecond),
		took[len(took)-1].Round(time.Millisecond), last.Round(time.Millisecond))
	if float64(n.refused) > refused*float64(n.requests) {
		t.Errorf("%d of %d requests were writes that were refused, more than a share of %g", n.refused, n.requests, refused)
	}
	if last > settled {
		t.Errorf("a request was slow or failed %s after the fault, more than %s", last, settled)
	}
}

// leave closes the clients' connections.
func (l *load) leave() {
	for _, c := range l.clients {
		c.http.CloseIdleConnections()
	}
}

// watched are the metrics of the gateway's process that have to be as before once a fault is over, and by how much they
// may differ. Connections to workers are kept for a while, as many as were needed at once, each with two goroutines.
var watched = map[string]float64{
	"go_goroutines":                 60,
	"process_open_fds":              30,
	"process_resident_memory_bytes": 96 << 20,
}

// resources reads them.
func (s *site) resources() map[string]float64 {
	s.t.Helper()
	res, err := http.Get("http://" + s.admin + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	found := map[string]float64{}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if _, ok := watched[name]; !ok {
			continue
		}
		if found[name], err = strconv.ParseFloat(value, 64); err != nil {
			s.t.Fatalf("%s: %v", name, err)
		}
	}
	if len(found) != len(watched) {
		s.t.Fatalf("the gateway's metrics tell of %v only", slices.Collect(maps.Keys(found)))
	}
	return found
}

// flat waits until the gateway uses what it used before.
func (s *site) flat(before map[string]float64) {
	s.t.Helper()
	deadline := time.Now().Add(2 * time.Minute) // connections to workers that nobody uses any more are kept for 90 s
	for {
		var more []string
		now := s.resources()
		for name, allowed := range watched {
			if now[name] > before[name]+allowed {
				more = append(more, fmt.Sprintf("%s was %.0f and is %.0f", name, before[name], now[name]))
			}
		}
		if len(more) == 0 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Error(strings.Join(more, "; "))
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}
