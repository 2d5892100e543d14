package redisstore

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/parsescale/parsescale/policies/coding"
	"github.com/parsescale/parsescale/server/testservices"
)

func example(size int) Answer {
	return Answer{
		Status: 200, ETag: `W/"x"`, Reads: "Game:g1 for=everyone", Body: []byte(strings.Repeat(`{"score":1},`, size/12+1)[:size]),
		Header: []Field{{"Content-Type", "application/json"}, {"Vary", "Origin"}, {"Vary", "Accept-Encoding"}},
		Stored: time.UnixMilli(1_800_000_000_123), Position: map[string]uint64{"one": 7, "two": 1 << 40},
	}
}

func (a *Answer) equal(b *Answer) bool {
	return a.Status == b.Status && a.ETag == b.ETag && a.Reads == b.Reads && bytes.Equal(a.Body, b.Body) && slices.Equal(a.Header, b.Header) &&
		a.Stored.Equal(b.Stored) && maps.Equal(a.Position, b.Position)
}

func TestAnswers(t *testing.T) {
	var e coding.Encoder
	for _, size := range []int{0, 1, minPacked - 1, minPacked, 100_000} {
		a := example(size)
		b := a.append(nil, &e)
		got, err := parse(b)
		if err != nil || !a.equal(got) {
			t.Errorf("%d bytes: %+v, %v", size, got, err)
		}
		if size == 100_000 && len(b) > size/10 {
			t.Errorf("%d bytes are kept of %d", len(b), size)
		}
		for n := range min(len(b), 200) { // what is cut off is malformed, or has a shorter body
			if cut, err := parse(b[:n]); err == nil && (size >= minPacked || len(cut.Body) >= max(size, 1)) {
				t.Errorf("%d bytes of %d are read as %+v", n, len(b), cut)
			}
		}
	}
	for name, b := range map[string][]byte{
		"another format":        append([]byte{format + 1}, new(Answer).append(nil, &e)[1:]...),
		"too many fields":       {format, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f},
		"too many gateways":     {format, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f},
		"a coding nobody knows": {format, 0, 0, 0, 0, 0, 0, 9, 'x'},
		"gzip":                  {format, 0, 0, 0, 0, 0, 0, byte(coding.Gzip), 'x'},
		"no zstd":               {format, 0, 0, 0, 0, 0, 0, byte(coding.Zstd), 'x'},
		"nothing":               {},
	} {
		if a, err := parse(b); err == nil {
			t.Errorf("%s is read as %+v", name, a)
		}
	}
}

func FuzzParse(f *testing.F) {
	var e coding.Encoder
	for _, size := range []int{0, 10, 2000} {
		a := example(size)
		f.Add(a.append(nil, &e))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := parse(b)
		if err != nil {
			return
		}
		again, err := parse(a.append(nil, &e))
		if err != nil || !a.equal(again) {
			t.Errorf("%+v is read again as %+v, %v", a, again, err)
		}
	})
}

func newStore(t *testing.T, url string, configure func(*Options)) *Store {
	t.Helper()
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	o.MaxRetries, o.ContextTimeoutEnabled = -1, true
	options := Options{Client: redis.NewClient(o), Prefix: "test:", Timeout: 5 * time.Second} // Redis is as slow as the machine
	if configure != nil {
		configure(&options)
	}
	s := New(options)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func always() bool { return true }

// until waits for what happens in the background.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: it never came", what)
		}
	}
}

func TestStore(t *testing.T) {
	r := testservices.StartRedis(t)
	one, two := newStore(t, r.URL, nil), newStore(t, r.URL, nil)
	elsewhere := newStore(t, r.URL, func(o *Options) { o.Prefix = "other:" })
	ctx := context.Background()
	if a, _ := two.Get(ctx, Key{1}); a != nil {
		t.Errorf("%+v of nothing", a)
	}
	a := example(5000)
	one.Put(Key{1}, a, time.Minute, always)
	one.Put(Key{2}, example(10), time.Minute, func() bool { return false })
	one.Put(Key{3}, example(10), 0, always)
	one.Put(Key{4}, example(maxBody+1), time.Minute, always)
	until(t, "the answer", func() bool { return one.Stats().Written == 1 && one.queued.Load() == 0 })
	if got, place := two.Get(ctx, Key{9}, Key{1}); got == nil || !a.equal(got) || place != 1 {
		t.Errorf("%+v at %d", got, place)
	}
	if got, _ := elsewhere.Get(ctx, Key{1}); got != nil {
		t.Error("another deployment has it, too")
	}
	if got, _ := two.Get(ctx, Key{2}, Key{3}, Key{4}); got != nil {
		t.Errorf("%+v was written", got)
	}
	raw := one.o.Client
	if ttl := raw.PTTL(ctx, one.name(Key{1})).Val(); ttl <= 0 || ttl > time.Minute {
		t.Errorf("it is kept for %v", ttl)
	}
	// What somebody else wrote there is no answer, and no reason not to ask again.
	for i := range 10 {
		raw.Set(ctx, one.name(Key{byte(20 + i)}), "\x02nonsense", time.Minute)
		raw.LPush(ctx, one.name(Key{byte(40 + i)}), "nonsense")
		for _, k := range []Key{{byte(20 + i)}, {byte(40 + i)}} {
			if got, _ := two.Get(ctx, k); got != nil {
				t.Errorf("%+v of nonsense", got)
			}
		}
	}
	if s := two.Stats(); !s.Up || s.Found != 1 || s.Failed != 10 || s.Absent != 12 || s.Skipped != 0 {
		t.Errorf("%+v", s)
	}
}

// TestRedisAway: a Redis that is gone, or too slow, is asked a few times, and not while it stays so.
func TestRedisAway(t *testing.T) {
	for _, tt := range []struct {
		name       string
		away, back func(*testservices.Redis, *testservices.Proxy)
	}{
		{"gone", func(r *testservices.Redis, _ *testservices.Proxy) { r.Kill() }, func(r *testservices.Redis, _ *testservices.Proxy) { r.Restart(t) }},
		{"slow", func(_ *testservices.Redis, p *testservices.Proxy) { p.Delay(10 * time.Second) }, func(_ *testservices.Redis, p *testservices.Proxy) { p.Delay(0) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := testservices.StartRedis(t)
			proxy := testservices.StartProxy(t, r.Address)
			s := newStore(t, r.At(proxy.Address), func(o *Options) { o.Timeout = 300 * time.Millisecond })
			ctx := context.Background()
			s.Get(ctx, Key{1})
			tt.away(r, proxy)
			began := time.Now()
			for range 50 {
				if a, _ := s.Get(ctx, Key{1}); a != nil {
					t.Errorf("%+v of nothing", a)
				}
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("50 questions took %v", took)
			}
			if st := s.Stats(); st.Failed == 0 || st.Skipped < 30 {
				t.Errorf("%+v", st)
			}
			tt.back(r, proxy)
			until(t, "Redis", func() bool {
				s.Put(Key{1}, example(10), time.Minute, always)
				a, _ := s.Get(ctx, Key{1})
				return a != nil && s.Stats().Up
			})
		})
	}
}

// TestTooSlowForQuestions: that answers can be written doesn't keep questions going that come to nothing.
func TestTooSlowForQuestions(t *testing.T) {
	r := testservices.StartRedis(t)
	proxy := testservices.StartProxy(t, r.Address)
	s := newStore(t, r.At(proxy.Address), func(o *Options) { o.Timeout = 50 * time.Millisecond })
	proxy.Delay(100 * time.Millisecond)
	for n := range uint64(6) {
		s.Get(context.Background(), Key{1})
		s.Put(Key{1}, example(10), time.Minute, always)
		until(t, "the end of the write", func() bool { st := s.Stats(); return st.Written+st.Lost > n })
	}
	if st := s.Stats(); st.Skipped == 0 {
		t.Errorf("%+v", st)
	}
}

// TestAClientThatLeaves: that says nothing of Redis.
func TestAClientThatLeaves(t *testing.T) {
	s := newStore(t, testservices.StartRedis(t).URL, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 20 {
		s.Get(ctx, Key{1})
	}
	if st := s.Stats(); !st.Up || st.Failed != 0 {
		t.Errorf("%+v", st)
	}
}

// TestTooManyWait: what waits is bounded, by number and by bytes.
func TestTooManyWait(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, tt := range []struct {
		name  string
		set   func(*Options)
		lost  uint64
		bytes int64
	}{
		{"by number", func(o *Options) { o.MaxQueue = 5 }, 95 - maxBatch, 100 * 2048},
		{"by bytes", func(o *Options) { o.MaxQueueBytes = 10 * 2048 }, 80, 10 * 2048},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore(t, fmt.Sprintf("redis://%s/0", listener.Addr()), tt.set)
			var asked atomic.Int64
			for range 100 {
				s.Put(Key{1}, example(1500), time.Minute, func() bool { asked.Add(1); return true })
			}
			if n, bytes := s.Stats().Lost, s.queued.Load(); n < tt.lost-1 || bytes > tt.bytes || bytes == 0 {
				t.Errorf("%d are lost, %d bytes wait", n, bytes)
			}
		})
	}
}
