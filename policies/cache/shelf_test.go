package cache

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestSketch(t *testing.T) {
	var s sketch
	s.count(key("a")) // nothing is stored yet
	if s.estimate(key("a")) != 0 || s.size() != 0 {
		t.Error("an empty sketch counts")
	}
	if grown := s.fit(1000); grown != s.size() || grown != 8*1024 {
		t.Errorf("for 1000 entries it grew by %d bytes and has %d", grown, s.size())
	}
	for i := range 200 {
		for range i % 20 {
			s.count(key(fmt.Sprint(i)))
		}
	}
	over := 0
	for i := range 200 {
		want, got := uint64(min(i%20, 15)), s.estimate(key(fmt.Sprint(i)))
		if got < want {
			t.Errorf("key %d was counted %d times, and is estimated at %d", i, want, got)
		}
		if got > want {
			over++
		}
	}
	if over > 10 {
		t.Errorf("%d of 200 keys are estimated too high", over)
	}
	if s.fit(5000); s.size() != 8*8192 || s.estimate(key("19")) != 15 || s.estimate(key("3")) < 3 {
		t.Errorf("after it has grown to %d bytes, keys are estimated at %d and %d", s.size(), s.estimate(key("19")), s.estimate(key("3")))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 60_000 {
		s.count(key(fmt.Sprint("other ", random.IntN(100_000))))
	}
	if got := s.estimate(key("19")); got > 9 {
		t.Errorf("what was popular once is still estimated at %d", got)
	}
	if s.release() != 8*8192 || s.size() != 0 {
		t.Error("its memory isn't given back")
	}
}

// TestShelf fills a shelf of twenty and looks at who goes.
func TestShelf(t *testing.T) {
	node := func(name string) *node { return &node{key: key(name)} }
	for _, tt := range []struct {
		name   string
		before string // looked up, the latest last
		added  string // then, each with one look-up before
		losers string // who goes, as one has to for each that was added
	}{
		{"the young that nobody asked for go, and then the old", "", "n1 n2 n3", "18 19 0"},
		{"one-off questions against what is used", "0 0 1 1 2 2 3 3 4 4 5 5 6 6 7 7 8 8 9 9 10 10 11 11 12 12 13 13 14 14 15 15 16 16 17 17", "n1 n2 n3 n4 n5", "18 19 n1 n2 n3"},
		{"what was unused for longest goes for what is asked for", "0 0 1 1 2 2 3 3 4 4 5 5 6 6 7 7 8 8 9 9 10 10 11 11 12 12 13 13 14 14 15 15 16 16 17 17 18 18 18 19 19 19", "n1 n2", "0 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newShelf()
			memory := int64(0)
			for i := range 20 {
				n := node(fmt.Sprint(i))
				memory += s.Add(n.key, n)
				s.grow()
			}
			names := map[Key]string{}
			for i := range 20 {
				names[key(fmt.Sprint(i))] = fmt.Sprint(i)
			}
			for name := range strings.FieldsSeq(tt.before) {
				if _, ok := s.Get(key(name)); !ok {
					t.Fatalf("%s isn't there", name)
				}
			}
			var losers []string
			for name := range strings.FieldsSeq(tt.added) {
				s.Get(key(name))
				n := node(name)
				names[n.key] = name
				memory += s.Add(n.key, n)
				loser, _ := s.loser(n)
				losers = append(losers, names[loser.key])
				memory -= s.Remove(loser.key)
				s.grow()
			}
			if got := strings.Join(losers, " "); got != tt.losers {
				t.Errorf("%s go, want %s", got, tt.losers)
			}
			if s.Len() != 20 || len(s.Values()) != 20 || s.young.Len() != 2 {
				t.Errorf("%d nodes, %d of them young", s.Len(), s.young.Len())
			}
			if memory != s.asked.size() || memory-s.Purge() != 0 {
				t.Errorf("%d bytes of memory were told, want %d", memory, s.asked.size())
			}
		})
	}
}
