package postgres

import (
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/storage/storetest"
)

// echoes is a find that takes next to no time.
const echoes = "SELECT $1::text"

// questions are finds of a class whose rows nobody looks at.
type questions struct {
	s   *Store
	all []*lookup
}

func (q *questions) add(t testing.TB, n int, sql, arg string) {
	for range n {
		q.all = append(q.all, &lookup{ctx: t.Context(), catalog: q.s.catalog.Load(), sql: []byte(sql), args: []any{arg}, each: func([][]byte) error { return nil }, pace: paceOf(t, q.s, "A", sql), err: errApart})
	}
}

// TestFindsTogetherWhoTookTheTime: the server sends what several finds have in one piece, and yet it is the one that takes long that
// doesn't go in company any more.
func TestFindsTogetherWhoTookTheTime(t *testing.T) {
	s := open(t, database(t))
	storetest.PutClass(t, s, "A", "n Number")
	quick, slow := paceOf(t, s, "A", echoes), paceOf(t, s, "A", sleeps)
	for name, tt := range map[string]struct {
		seconds string
		kept    bool // the company keeps to its time
	}{
		"somewhat longer":       {"0.1", true},
		"longer than they wait": {"30", false},
	} {
		quick.mean.Store(int64(10 * time.Microsecond))
		slow.mean.Store(int64(time.Millisecond))
		q := questions{s: s}
		q.add(t, 10, echoes, "x")
		q.add(t, 1, sleeps, tt.seconds)
		q.add(t, 10, echoes, "x")
		s.answer(q.all)
		for i, l := range q.all {
			if (l.err == nil) != tt.kept {
				t.Errorf("%s: %d: %v", name, i, l.err)
			}
		}
		if slow.quick() {
			t.Errorf("%s: the one that took the time goes in company", name)
		}
		if tt.kept && !quick.quick() {
			t.Errorf("%s: another one doesn't any more, it is said to take %s", name, time.Duration(quick.mean.Load()))
		}
	}
}

// TestFindsTogetherWaitForAConnection: how long they had to wait for a connection isn't the time that they take.
func TestFindsTogetherWaitForAConnection(t *testing.T) {
	s := open(t, database(t), func(o *Options) { o.URI += "?max=1" })
	storetest.PutClass(t, s, "A", "n Number")
	paceOf(t, s, "A", sleeps).took(time.Microsecond)
	only, err := s.primary.take(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- askFor(ctx, s, "A", sleeps, "0.2", func([][]byte) error { return nil })
	}()
	time.Sleep(mostPatience + 2*patience)
	s.primary.give(only)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if again, err := s.primary.take(ctx, false); err != nil || again != only {
		t.Errorf("its connection was cut off, %v", err)
	} else {
		s.primary.give(again)
	}
}
