package cache

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"testing"
)

// admissionRun asks a cache for what a trace says, 100,000 times, and returns the share of hits after the first fifth. The cache has
// room for a tenth of admissionQuestions.
const (
	admissionQuestions = 10_000
	admissionRequests  = 100_000
)

func admissionRun(t testing.TB, plainLRU bool, trace func(i int) (question int, counts bool)) (rate float64, s Stats) {
	entryOf := func(k Key, n int) (Reading, *Entry) {
		id := make([]byte, 0, 8)
		id = binary.AppendUvarint(id, uint64(n))
		return get("Game", string(id)), &Entry{Status: 200, Body: make([]byte, 1000)}
	}
	// What one entry takes, found out once.
	one := New(Options{Shards: 1})
	r, e := entryOf(Key{}, 100_000)
	f, _ := one.Begin(key("k"), r)
	f.Store(e, Dependencies{})
	size := one.Stats().Bytes - classSize
	c := New(Options{MaxBytes: classSize + admissionQuestions/10*size, Shards: 8})
	for i := range c.shards {
		c.shards[i].lru.plain = plainLRU
	}
	hits, asked := 0, 0
	for i := range admissionRequests {
		n, counts := trace(i)
		h := fnv.New128a()
		h.Write(binary.AppendUvarint(nil, uint64(n)))
		sum := h.Sum(nil)
		k := Key{Hi: binary.BigEndian.Uint64(sum) * 0x9e3779b97f4a7c15, Lo: binary.BigEndian.Uint64(sum[8:]), Len: 8}
		_, ok := c.Get(k)
		if counts = counts && i >= admissionRequests/5; counts {
			asked++
			if ok {
				hits++
			}
		}
		if ok {
			continue
		}
		r, e := entryOf(k, n)
		if f, leader := c.Begin(k, r); leader {
			f.Store(e, Dependencies{})
		}
		if i%1000 == 0 {
			if s := c.Stats(); s.Bytes > s.MaxBytes {
				t.Fatalf("%d bytes, more than %d", s.Bytes, s.MaxBytes)
			}
		}
	}
	return float64(hits) / float64(asked), c.Stats()
}

// admissionTraces are ways to ask: which question comes, and whether it counts for the rate.
var admissionTraces = []struct {
	name string
	make func() func(i int) (int, bool)
	// gain is what admission must add to the rate of hits at least; it may cost a little where what is popular changes.
	gain float64
}{
	{"Zipf", func() func(int) (int, bool) {
		random, z := rand.New(rand.NewPCG(1, 2)), newZipf(admissionQuestions)
		return func(int) (int, bool) { return z.draw(random), true }
	}, 0.03},
	{"Zipf, and as many that are asked once", func() func(int) (int, bool) {
		random, z := rand.New(rand.NewPCG(1, 2)), newZipf(admissionQuestions)
		return func(i int) (int, bool) {
			if i%2 == 0 {
				return admissionQuestions + i, false
			}
			return z.draw(random), true
		}
	}, 0.09},
	{"Zipf, and now and then 5,000 in a row that are asked once", func() func(int) (int, bool) {
		random, z := rand.New(rand.NewPCG(1, 2)), newZipf(admissionQuestions)
		return func(i int) (int, bool) {
			if i%10_000 >= 5000 {
				return admissionQuestions + i, false
			}
			return z.draw(random), true
		}
	}, 0.03},
	{"Zipf, others are popular after a while", func() func(int) (int, bool) {
		random, z := rand.New(rand.NewPCG(1, 2)), newZipf(admissionQuestions)
		return func(i int) (int, bool) { return (z.draw(random) + i/20_000*3000) % admissionQuestions, true }
	}, -0.03},
	{"each several times in a row, then never again", func() func(int) (int, bool) {
		random := rand.New(rand.NewPCG(1, 2))
		return func(i int) (int, bool) { return i/5 - random.IntN(20) + 100, true }
	}, -0.01},
}

// TestAdmission compares the rates of hits with those of a plain LRU.
func TestAdmission(t *testing.T) {
	for _, tt := range admissionTraces {
		t.Run(tt.name, func(t *testing.T) {
			lru, _ := admissionRun(t, true, tt.make())
			with, s := admissionRun(t, false, tt.make())
			t.Logf("hits: %.1f %%, with a plain LRU %.1f %%; %d entries, %d evicted, %d not kept", 100*with, 100*lru, s.Entries, s.Evictions, s.Rejected)
			if with < lru+tt.gain {
				t.Errorf("hits: %.3f, with a plain LRU %.3f, want %.3f more", with, lru, tt.gain)
			}
		})
	}
}
