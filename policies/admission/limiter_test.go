package admission

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// arrival is a request that comes after others in a table, and whether it is to be let in at last.
type arrival struct {
	name     string
	after    time.Duration // the one before it
	priority Priority
	size     int64
}

func TestWhoIsServed(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct {
		name     string
		options  Options
		arrivals []arrival
		// free is when the seats that all are taken come free, one each 5 ms.
		free time.Duration
		want string // who is let in, in order; then, after a bar, who is refused, in order
	}{
		{"in turn", Options{}, []arrival{{"a", 0, Reads, 0}, {"b", ms, Reads, 0}, {"c", ms, Reads, 0}}, 50 * ms, "a b c |"},
		{"the newest first once the oldest is late", Options{}, []arrival{{"a", 0, Reads, 0}, {"b", ms, Reads, 0}, {"c", 190 * ms, Reads, 0}}, 200 * ms, "c b a |"},
		{"the important first", Options{}, []arrival{{"f", 0, Last, 0}, {"r", ms, Reads, 0}, {"w", ms, Writes, 0}, {"m", ms, First, 0}}, 50 * ms, "m w r f |"},
		{"nobody waits too long", Options{}, []arrival{{"a", 0, Reads, 0}, {"b", 100 * ms, Reads, 0}}, 300 * ms, "b | a"},
		{"a full queue has no room", Options{Queue: 2}, []arrival{{"a", 0, Reads, 0}, {"b", ms, Reads, 0}, {"c", ms, Reads, 0}}, 50 * ms, "a b | c"},
		{"but for the more important", Options{Queue: 2}, []arrival{{"f", 0, Last, 0}, {"r", ms, Reads, 0}, {"w", ms, Writes, 0}}, 50 * ms, "w r | f"},
		{"and in place of one that is late", Options{Queue: 2}, []arrival{{"a", 0, Reads, 0}, {"b", ms, Reads, 0}, {"c", 150 * ms, Reads, 0}}, 160 * ms, "c b | a"},
		{"no queue", Options{Queue: -1}, []arrival{{"a", 0, First, 0}}, 50 * ms, "| a"},
		{"too much memory", Options{QueueBytes: 100}, []arrival{{"a", 0, Reads, 60}, {"b", ms, Reads, 60}, {"w", ms, Writes, 70}}, 50 * ms, "w | b a"},
		{"one that is too large by itself waits alone", Options{QueueBytes: 100}, []arrival{{"a", 0, Reads, 600}, {"b", ms, Reads, 1}}, 50 * ms, "a | b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test.options.Min, test.options.Max = 10, 10
				l := newLimiter(t, test.options)
				var seats []Seat
				for range 10 { // the reads have 8 of them, and so on: all are taken by the most important
					seat, err := l.Enter(t.Context(), Request{Priority: First})
					if err != nil {
						t.Fatal(err)
					}
					seats = append(seats, seat)
				}
				var mu sync.Mutex
				var in, out []string
				begun := time.Now()
				for _, a := range test.arrivals {
					time.Sleep(a.after)
					go func() {
						seat, err := l.Enter(context.Background(), Request{Priority: a.priority, Size: a.size})
						mu.Lock()
						defer mu.Unlock()
						if err != nil {
							out = append(out, a.name)
							return
						}
						in = append(in, a.name)
						seat.Leave(false)
					}()
					synctest.Wait()
				}
				time.Sleep(time.Until(begun.Add(test.free)))
				for _, seat := range slices.Backward(seats) {
					l.mu.Lock()
					l.left[Reads]++ // something moves: nobody is excused
					l.mu.Unlock()
					seat.Leave(false)
					synctest.Wait()
				}
				time.Sleep(time.Second)
				synctest.Wait()
				got := strings.TrimSpace(strings.Join(in, " ") + " | " + strings.Join(out, " "))
				if got != test.want {
					t.Errorf("served | refused: %s, want %s", got, test.want)
				}
				bounded(t, l)
			})
		})
	}
}

// What is let in because nothing moves takes no seat of the more important, and is bounded.
func TestNothingMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, Options{Min: 20, Max: 20})
		for range 12 { // as many as there is room for
			if _, err := l.Enter(t.Context(), Request{Priority: Last}); err != nil {
				t.Fatal(err)
			}
		}
		var refused atomic.Int64
		for range 40 {
			go func() {
				if _, err := l.Enter(context.Background(), Request{Priority: Last}); err != nil {
					refused.Add(1)
				}
			}()
		}
		time.Sleep(260 * time.Millisecond)
		if s := l.Status(); s.Excused != 5 || refused.Load() != 35 {
			t.Errorf("of 40 functions %d were let in though nothing moves, and %d refused; want a quarter of 20 to be", s.Excused, refused.Load())
		}
		begun := time.Now()
		if _, err := l.Enter(t.Context(), Request{Priority: Writes}); err != nil || time.Since(begun) > 0 {
			t.Errorf("a write found no seat: %v, after %s", err, time.Since(begun))
		}
		for range 10 {
			go func() { _, _ = l.Enter(context.Background(), Request{Priority: Last}) }()
			time.Sleep(260 * time.Millisecond)
		}
		if s := l.Status(); s.InFlight > 20 {
			t.Errorf("%d are under way, more than Max", s.InFlight)
		}
	})
}

// Those who are held up by their clients take nobody's seat, and are as many as the limit at most.
func TestStepAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, Options{Min: 10, Max: 10})
		enter := func() (Seat, error) {
			seat, err := l.Enter(t.Context(), Request{Priority: Last})
			if err == nil {
				err = seat.StepAside()
			}
			return seat, err
		}
		var seats []Seat
		for range 10 {
			seat, err := enter()
			if err != nil {
				t.Fatal(err)
			}
			seats = append(seats, seat)
		}
		if _, err := enter(); !errors.Is(err, ErrOverloaded) {
			t.Errorf("one more: %v", err)
		}
		if s := l.Status(); s.InFlight != 0 || s.Aside != 10 || s.Refused[Last] != 1 {
			t.Errorf("with all aside: %+v", s)
		}
		for range 6 { // all that there is room for
			if _, err := l.Enter(t.Context(), Request{Priority: Last}); err != nil {
				t.Fatal(err)
			}
		}
		waited := make(chan error, 1)
		go func() {
			_, err := enter()
			waited <- err
		}()
		synctest.Wait()
		seats[0].Leave(true)
		if len(waited) != 0 {
			t.Error("who steps aside needs no seat")
		}
		if s := l.Status(); s.InFlight != 6 || s.Aside != 9 {
			t.Errorf("after one has gone: %+v", s)
		}
		<-waited
	})
}

func TestOptions(t *testing.T) {
	for _, test := range []struct {
		options Options
		want    [3]int // Initial, Min, Max; zero: an error
	}{
		{Options{}, [3]int{100, 40, 1000}},
		{Options{Max: 20}, [3]int{20, 20, 20}},
		{Options{Min: 2000}, [3]int{2000, 2000, 2000}},
		{Options{Min: 5, Initial: 3}, [3]int{5, 5, 1000}},
		{Options{Min: 5, Max: 4}, [3]int{}},
		{Options{Min: -1}, [3]int{}},
		{Options{Max: -1}, [3]int{}},
		{Options{Tolerance: 0.5}, [3]int{}},
		{Options{MaxWait: -1}, [3]int{}},
	} {
		o, err := test.options.withDefaults()
		if got := [3]int{o.Initial, o.Min, o.Max}; (err != nil) != (test.want == [3]int{}) || err == nil && got != test.want {
			t.Errorf("%+v: %v, %v; want %v", test.options, got, err, test.want)
		}
	}
}

func TestMoreWorkersMoreRoom(t *testing.T) {
	workers := 1
	l := newLimiter(t, Options{Initial: 10, Min: 10, Workers: func() int { return workers }})
	if s := l.Status(); s.Limit != 10 {
		t.Fatalf("limit %d with one worker", s.Limit)
	}
	workers = 4
	if err := l.Configure(Options{Initial: 10, Min: 10, Workers: func() int { return workers }}); err != nil {
		t.Fatal(err)
	}
	if s := l.Status(); s.Limit != 40 {
		t.Errorf("limit %d with four workers", s.Limit)
	}
	if err := l.Configure(Options{Min: 5, Max: 1}); err == nil {
		t.Error("impossible options were taken")
	}
}

// TestInitialIsPerWorker: the limit begins with the first workers, who may come after the limiter was made.
func TestInitialIsPerWorker(t *testing.T) {
	workers := 0
	l := newLimiter(t, Options{Initial: 100, Workers: func() int { return workers }})
	if s := l.Status(); s.Limit != 100 {
		t.Errorf("limit %d without workers, want that of one", s.Limit)
	}
	workers = 3
	seat, err := l.Enter(t.Context(), Request{Priority: Reads})
	if err != nil {
		t.Fatal(err)
	}
	seat.Leave(false)
	if s := l.Status(); s.Limit != 300 {
		t.Errorf("limit %d with three workers", s.Limit)
	}
	workers = 0
	if err := l.Configure(Options{Initial: 50, Workers: func() int { return workers }}); err != nil {
		t.Fatal(err)
	}
	workers = 3
	if s := l.Status(); s.Limit != 300 {
		t.Errorf("limit %d after a moment without workers, want what it was", s.Limit)
	}
}

// The way in and out, with room, costs a request nothing that it could notice.
func TestEnterAllocations(t *testing.T) {
	l := newLimiter(t, Options{})
	n := testing.AllocsPerRun(1000, func() {
		seat, err := l.Enter(context.Background(), Request{Priority: Reads, Kind: 1})
		if err != nil {
			t.Fatal(err)
		}
		seat.Leave(true)
	})
	if n > 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkEnter(b *testing.B) {
	l, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if seat, err := l.Enter(context.Background(), Request{Priority: Reads, Kind: 1}); err == nil {
				seat.Leave(true)
			} else if !errors.Is(err, ErrOverloaded) {
				b.Error(err)
			}
		}
	})
}
