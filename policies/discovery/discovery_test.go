package discovery

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// zone is a DNS that says what it is told to.
type zone struct {
	mu      sync.Mutex
	hosts   map[string][]string
	records map[string][]*net.SRV
	hangs   bool
	asked   int
}

func (z *zone) set(f func()) { z.mu.Lock(); defer z.mu.Unlock(); f() }

func (z *zone) ask(ctx context.Context) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked++
	if z.hangs {
		z.mu.Unlock()
		<-ctx.Done()
		z.mu.Lock()
		return ctx.Err()
	}
	return nil
}

var errNoSuchHost = errors.New("no such host")

func (z *zone) LookupNetIP(ctx context.Context, _, host string) (all []netip.Addr, err error) {
	if err := z.ask(ctx); err != nil {
		return nil, err
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	texts, ok := z.hosts[host]
	if !ok {
		return nil, errNoSuchHost
	}
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all, nil
}

func (z *zone) LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error) {
	if err := z.ask(ctx); err != nil {
		return "", nil, err
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if service != "" || proto != "" || z.records[name] == nil {
		return "", nil, errNoSuchHost
	}
	return name, z.records[name], nil
}

func TestParse(t *testing.T) {
	for _, test := range []struct {
		address string
		want    Source
		ok      bool
	}{
		{"dns://parse.default.svc:1337", Source{"parse.default.svc", "1337"}, true},
		{"srv://_parse._tcp.example.com", Source{"_parse._tcp.example.com", ""}, true},
		{"dns://parse", Source{}, false},
		{"dns://parse:0", Source{}, false},
		{"dns://parse:99999", Source{}, false},
		{"dns://:1337", Source{}, false},
		{"dns://a/b:1337", Source{}, false},
		{"dns://u@a:1337", Source{}, false},
		{"srv://", Source{}, false},
		{"srv://a:80", Source{}, false},
		{"srv://a b", Source{}, false},
		{"http://a:80", Source{}, false},
	} {
		got, err := Parse(test.address)
		if got != test.want || (err == nil) != test.ok {
			t.Errorf("%s: %+v, %v", test.address, got, err)
		}
	}
}

func TestLookup(t *testing.T) {
	z := &zone{
		hosts: map[string][]string{"pods": {"10.0.0.2", "10.0.0.1", "10.0.0.2", "::1", "::ffff:10.0.0.3"}, "empty": {}},
		records: map[string][]*net.SRV{
			"_parse._tcp.a": {{Target: "b.example.", Port: 1, Priority: 5, Weight: 10}, {Target: "a.example.", Port: 2, Priority: 5}, {Target: "spare.example.", Port: 3, Priority: 9}},
			"_none._tcp.a":  {{Target: ".", Port: 0}},
		},
	}
	for _, test := range []struct {
		address string
		want    []Found
		err     error
	}{
		{"dns://pods:1337", []Found{{"10.0.0.1:1337", 1}, {"10.0.0.2:1337", 1}, {"10.0.0.3:1337", 1}, {"[::1]:1337", 1}}, nil},
		{"srv://_parse._tcp.a", []Found{{"a.example:2", 1}, {"b.example:1", 10}}, nil},
		{"dns://empty:1", nil, ErrNone},
		{"srv://_none._tcp.a", nil, ErrNone},
		{"dns://unknown:1", nil, errNoSuchHost},
		{"srv://unknown", nil, errNoSuchHost},
	} {
		s, err := Parse(test.address)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Lookup(t.Context(), z)
		if !reflect.DeepEqual(got, test.want) || !errors.Is(err, test.err) {
			t.Errorf("%s: %v, %v; want %v, %v", test.address, got, err, test.want, test.err)
		}
	}
	many := &zone{hosts: map[string][]string{"many": nil}}
	for i := range 2 * maxFound {
		many.hosts["many"] = append(many.hosts["many"], netip.AddrFrom4([4]byte{10, 0, byte(i / 256), byte(i)}).String())
	}
	if got, err := (Source{"many", "1"}).Lookup(t.Context(), many); len(got) != maxFound || err != nil {
		t.Errorf("%d found, %v", len(got), err)
	}
}

// TestWatch: workers come and go; what fails leaves everything as it was.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{hosts: map[string][]string{"a": {"10.0.0.1"}}}
		var told []map[string][]Found
		w := Start(Options{
			Sources: map[string]Source{"dns://a:1": {"a", "1"}, "dns://b:1": {"b", "1"}}, Resolver: z,
			Apply: func(found map[string][]Found) { told = append(told, found) },
		})
		defer w.Stop()
		expect := func(what string, n int, want map[string][]Found) {
			t.Helper()
			synctest.Wait()
			if len(told) != n || !reflect.DeepEqual(told[n-1], want) {
				t.Errorf("%s: told %d times, at last %v; want %d, %v", what, len(told), told[len(told)-1], n, want)
			}
		}
		one := []Found{{"10.0.0.1:1", 1}}
		expect("at the start", 1, map[string][]Found{"dns://a:1": one})
		z.set(func() { z.hosts["b"] = []string{"10.0.0.9"} })
		time.Sleep(1100 * time.Millisecond) // one that was never found is asked for often
		nine := []Found{{"10.0.0.9:1", 1}}
		expect("the other one appears", 2, map[string][]Found{"dns://a:1": one, "dns://b:1": nine})
		z.set(func() { z.hosts["a"] = []string{"10.0.0.1", "10.0.0.2"} })
		time.Sleep(10 * time.Second)
		two := append(one[:1:1], Found{"10.0.0.2:1", 1})
		expect("one more", 3, map[string][]Found{"dns://a:1": two, "dns://b:1": nine})
		for what, f := range map[string]func(){
			"the name is gone":   func() { delete(z.hosts, "a") },
			"the name is empty":  func() { z.hosts["a"] = nil },
			"the DNS is silent":  func() { z.hangs = true },
			"nothing is changed": func() { z.hangs, z.hosts["a"] = false, []string{"10.0.0.2", "10.0.0.1"} },
		} {
			z.set(f)
			time.Sleep(30 * time.Second)
			expect(what, 3, map[string][]Found{"dns://a:1": two, "dns://b:1": nine})
		}
		z.set(func() { z.hangs, z.hosts["a"] = false, []string{"10.0.0.2"} })
		time.Sleep(30 * time.Second)
		expect("one less", 4, map[string][]Found{"dns://a:1": {{"10.0.0.2:1", 1}}, "dns://b:1": nine})
		before := z.asked
		w.Stop()
		time.Sleep(time.Minute)
		if z.asked != before {
			t.Error("it goes on after its end")
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("dns://parse.default.svc:1337")
	f.Add("srv://_parse._tcp.example.com")
	f.Fuzz(func(t *testing.T, address string) {
		if s, err := Parse(address); err == nil && (!IsSource(address) || s.name == "") {
			t.Errorf("%q: %+v", address, s)
		}
	})
}
