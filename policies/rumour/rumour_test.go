package rumour

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/parsescale/parsescale/policies/ratelimit/ledger"
	"github.com/parsescale/parsescale/server/testservices"
)

func TestMain(m *testing.M) { testservices.Main(m) }

// heard collects what a gateway is told.
type heard struct {
	mu     sync.Mutex
	broken []Report
	all    []string
}

func (h *heard) Broken() []Report {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.broken
}

func (h *heard) Heard(worker string, many bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, fmt.Sprint(worker, " ", many))
}

// TestHear: what is new is passed on once, and once more when many say it; nobody's own words come back.
func TestHear(t *testing.T) {
	one := func(workers ...string) (all []Report) {
		for i, w := range workers {
			w, again := strings.CutSuffix(w, " again")
			n := int64(i)
			if again {
				n += 100
			}
			all = append(all, Report{w, n})
		}
		return all
	}
	for _, test := range []struct {
		name  string
		steps []Notes
		want  string
	}{
		{"nobody says anything", []Notes{{"me": nil, "b": nil}}, "[]"},
		{"one does, for some time", []Notes{{"b": one("w")}, {"b": one("w")}, {"b": one("w")}}, "[w false]"},
		{"it is my own", []Notes{{"me": one("w"), "b": nil}}, "[]"},
		{"it says so again", []Notes{{"b": one("w")}, {"b": nil}, {"b": one("w again")}}, "[w false w false]"},
		{"its breaker opened once more", []Notes{{"b": one("w")}, {"b": one("w again")}}, "[w false w false]"},
		{"a second one does, of three", []Notes{{"b": one("w"), "c": nil}, {"b": one("w"), "c": one("w")}, {"b": one("w"), "c": one("w")}}, "[w false w true]"},
		{"two of five", []Notes{{"b": one("w"), "c": one("w"), "d": nil, "e": nil}}, "[w false]"},
		{"three of five", []Notes{{"b": one("w"), "c": one("w"), "d": one("w"), "e": nil}}, "[w true]"},
		{"the only other one isn't many", []Notes{{"b": one("w")}}, "[w false]"},
		{"a third says it and doesn't, in turn", []Notes{
			{"b": one("w"), "c": one("w")}, {"b": one("w"), "c": nil}, {"b": one("w"), "c": one("w")},
		}, "[w true w true]"}, // c has said it twice
		{"one gateway's word counts once", []Notes{{"b": one("w", "w"), "c": nil}}, "[w false]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := &heard{}
			teller := NewTeller("me", h, nil)
			for _, notes := range test.steps {
				teller.hear(maps.Clone(notes))
			}
			if got := fmt.Sprint(h.all); got != test.want {
				t.Errorf("told %s, want %s", got, test.want)
			}
		})
	}
}

// faulty is a board that can't be asked.
type faulty struct {
	asked     atomic.Int64
	withdrawn atomic.Int64
	notes     Notes
	err       error
}

func (f *faulty) Exchange(context.Context, []Report) (Notes, error) {
	f.asked.Add(1)
	return maps.Clone(f.notes), f.err
}
func (f *faulty) Withdraw(context.Context) error { f.withdrawn.Add(1); return f.err }

// TestRun: notes are exchanged each second and when there is something to tell; a board that can't be asked changes nothing.
func TestRun(t *testing.T) {
	for _, gone := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			board := &faulty{notes: Notes{"me": nil, "b": {{"w", 1}}}}
			if gone {
				board.err = errors.New("gone")
			}
			h := &heard{}
			teller := NewTeller("me", h, board)
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { defer close(ended); teller.Run(ctx) }()
			time.Sleep(4500 * time.Millisecond)
			if n := board.asked.Load(); n != 5 {
				t.Errorf("asked %d times in 4.5 s", n)
			}
			teller.Tell()
			synctest.Wait()
			if n := board.asked.Load(); n != 6 {
				t.Errorf("asked %d times after there was news", n)
			}
			stop()
			<-ended
			if n, up := teller.Others(); up == gone || !gone && n != 1 || len(h.all) != map[bool]int{true: 0, false: 1}[gone] {
				t.Errorf("%d others, up %v, heard %v", n, up, h.all)
			}
			if board.withdrawn.Load() != 1 {
				t.Error("what was said stays")
			}
		})
	}
}

func board(t *testing.T, r *testservices.Redis, name string, keep time.Duration) (*Board, redis.UniversalClient) {
	t.Helper()
	client, err := ledger.NewClient(r.URL, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return NewBoard(client, "parsescale:{test:app}:breakers", name, keep, 5*time.Second), client
}

// TestBoard exchanges notes by a real Redis.
func TestBoard(t *testing.T) {
	r := testservices.StartRedis(t)
	a, client := board(t, r, "a", time.Minute)
	b, _ := board(t, r, "b", time.Minute)
	want := func(b *Board, mine []Report, want string) {
		t.Helper()
		notes, err := b.Exchange(t.Context(), mine)
		if err != nil || fmt.Sprint(notes) != want {
			t.Errorf("got %v, %v, want %s", notes, err, want)
		}
	}
	want(a, nil, "map[a:[]]")
	want(b, []Report{{"http://w1:1", 1}, {"http://w2:1", 2}}, "map[a:[] b:[{http://w1:1 1} {http://w2:1 2}]]")
	want(a, []Report{{"http://w1:1", 3}}, "map[a:[{http://w1:1 3}] b:[{http://w1:1 1} {http://w2:1 2}]]")
	want(b, nil, "map[a:[{http://w1:1 3}] b:[]]")
	if err := b.Withdraw(t.Context()); err != nil {
		t.Error(err)
	}
	// What nobody of this version wrote says nothing, and what is over is thrown away.
	far := "99999999999999999 "
	for name, note := range map[string]string{
		"x": far + "{", "y": "[]", "z": far + `[{"w":"","n":1},{"w":"` + strings.Repeat("w", maxAddress+1) + `","n":1},{"w":"ok","n":1}]`,
		"over": `1 [{"w":"old","n":1}]`, "long": far + `["` + strings.Repeat(" ", maxNote) + `"]`,
	} {
		if err := client.HSet(t.Context(), "parsescale:{test:app}:breakers", name, note).Err(); err != nil {
			t.Fatal(err)
		}
	}
	want(a, nil, "map[a:[] long:[] x:[] z:[{ok 1}]]")
	if n := client.HLen(t.Context(), "parsescale:{test:app}:breakers").Val(); n != 4 {
		t.Errorf("%d notes are kept", n)
	}
	if ttl := client.PTTL(t.Context(), "parsescale:{test:app}:breakers").Val(); ttl <= 0 || ttl > time.Minute {
		t.Errorf("the board stays for %s", ttl)
	}
	many := make([]Report, maxReports+10)
	for i := range many {
		many[i] = Report{fmt.Sprint("w", i), 1}
	}
	if notes, err := a.Exchange(t.Context(), many); err != nil || len(notes["a"]) != maxReports {
		t.Errorf("%d reports, %v", len(notes["a"]), err)
	}
	short, _ := board(t, r, "short", 20*time.Millisecond)
	if _, err := short.Exchange(t.Context(), nil); err != nil {
		t.Error(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		notes, err := a.Exchange(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, there := notes["short"]; !there {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a gateway that is gone is never forgotten")
		}
	}
}
