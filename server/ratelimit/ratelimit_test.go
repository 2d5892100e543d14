package ratelimit

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/testservices"
	"github.com/redis/go-redis/v9"
)

func TestWindows(t *testing.T) {
	now := time.Unix(1000, 0)
	l, err := NewLocal(10*time.Second, 0, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		after time.Duration
		key   string
		hits  int64
		reset int64
	}{
		{0, "a", 1, 1010}, {3 * time.Second, "a", 2, 1010}, {0, "b", 1, 1013}, {6999 * time.Millisecond, "a", 3, 1010},
		{time.Millisecond, "a", 1, 1020}, {0, "b", 2, 1013}, {time.Hour, "b", 1, 4620},
	} {
		now = now.Add(step.after)
		c, err := l.Add(t.Context(), step.key)
		if err != nil || c.Hits != step.hits || c.Reset.Unix() != step.reset {
			t.Errorf("step %d: %d until %d, want %d until %d (%v)", i, c.Hits, c.Reset.Unix(), step.hits, step.reset, err)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	l, err := NewLocal(time.Hour, 10, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		_, _ = l.Add(t.Context(), strconv.Itoa(i))
		if c, _ := l.Add(t.Context(), "busy"); c.Hits != int64(i)+1 {
			t.Fatalf("a key in use was dropped after %d others", i)
		}
	}
	if n := l.keys.Len(); n > 10 {
		t.Errorf("%d keys are kept", n)
	}
}

func TestNoRequestIsLost(t *testing.T) {
	l, err := NewLocal(time.Hour, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				_, _ = l.Add(t.Context(), "k")
			}
		})
	}
	wg.Wait()
	if c, _ := l.Add(t.Context(), "k"); c.Hits != 8001 {
		t.Errorf("%d hits, want 8001", c.Hits)
	}
}

func TestShared(t *testing.T) {
	r := testservices.StartRedis(t)
	open := func() *Shared {
		s, err := NewShared(r.URL, time.Minute, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	one, two := open(), open()
	for i, s := range []*Shared{one, two, one} {
		c, err := s.Add(t.Context(), "k")
		if left := time.Until(c.Reset); err != nil || c.Hits != int64(i)+1 || left <= 0 || left > time.Minute {
			t.Errorf("request %d: %+v, %v", i, c, err)
		}
	}
	if c, err := two.Add(t.Context(), "other"); err != nil || c.Hits != 1 {
		t.Errorf("another key: %+v, %v", c, err)
	}
	options, err := redis.ParseURL(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	raw := redis.NewClient(options)
	defer raw.Close()
	if got := raw.Get(t.Context(), "rl:k").Val(); got != "3" {
		t.Errorf("Redis has %q under the key of Node's workers", got)
	}
	if err := raw.Persist(t.Context(), "rl:k").Err(); err != nil {
		t.Fatal(err)
	}
	if c, err := one.Add(t.Context(), "k"); err != nil || time.Until(c.Reset) > time.Minute {
		t.Errorf("a key without an end: %+v, %v", c, err)
	}
}

func TestBadAddress(t *testing.T) {
	_, err := NewShared("http://u:secret@h", time.Minute, nil)
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

func TestRedisThatIsGone(t *testing.T) {
	s, err := NewShared("redis://127.0.0.1:"+strconv.Itoa(testservices.FreePort(t)), time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Add(t.Context(), "k"); err == nil {
		t.Error("counts without Redis")
	}
}

// TestRedisThatHangs: one request waits for a Redis that doesn't answer; those that follow don't, until it is time to ask again.
func TestRedisThatHangs(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	now := time.Unix(1000, 0)
	s, err := NewShared("redis://"+l.Addr().String(), time.Minute, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, step := range []struct {
		after time.Duration
		waits bool
	}{{0, true}, {0, false}, {redisPause - 1, false}, {1, true}, {0, false}} {
		now = now.Add(step.after)
		begun := time.Now()
		_, err := s.Add(t.Context(), "k")
		if took := time.Since(begun); err == nil || errors.Is(err, ErrAway) == step.waits || took > redisTimeout/2 != step.waits {
			t.Errorf("step %d: %v, after %s", i, err, took)
		}
	}
	now = now.Add(redisPause)
	var waited atomic.Int64
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := s.Add(t.Context(), "k"); !errors.Is(err, ErrAway) {
				waited.Add(1)
			}
		})
	}
	if all.Wait(); waited.Load() != 1 {
		t.Errorf("of those who come at the same time %d wait", waited.Load())
	}
}

// TestClientsThatLeaveCount: whoever doesn't wait for the answer is counted all the same.
func TestClientsThatLeaveCount(t *testing.T) {
	s, err := NewShared(testservices.StartRedis(t).URL, time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for want := int64(1); want <= 2; want++ {
		if got, err := s.Add(gone, "k"); err != nil || got.Hits != want {
			t.Errorf("%d hits, %v; want %d", got.Hits, err, want)
		}
	}
}
