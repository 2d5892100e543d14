package cache

import (
	"sync/atomic"
	"time"
)

// Checks count what comes of asking a worker again for answers that were just served from the cache. They see to it that only
// so many checks are under way at a time, and that none begins while the workers have other things to do. The zero value is
// ready for use; it is safe for concurrent use.
type Checks struct {
	running atomic.Int64
	// by outcome, and by the entry's age: checkAges[i] at most, and more than the one before
	counts [checkOutcomes][len(checkAges)]atomic.Uint64
}

// maxChecks is how many checks may be under way at a time.
const maxChecks = 2

// checkAges are the bounds of the ages that checks are counted by.
var checkAges = [...]struct {
	name string
	most time.Duration
}{{"1s", time.Second}, {"5s", 5 * time.Second}, {"1m", time.Minute}, {"10m", 10 * time.Minute}, {"1h", time.Hour}, {"older", 1<<63 - 1}}

// CheckOutcome is what a check found.
type CheckOutcome uint8

// The outcomes of a check.
const (
	// Same: the worker answered with the same bytes, or the same objects where no order was asked for.
	Same CheckOutcome = iota
	// Different: it answered with others, although nothing that the cache was told of touched the entry meanwhile.
	Different
	// Undecided: the entry was dropped or replaced meanwhile, no worker answered, or it chose other objects where any may be
	// chosen, so that the check says nothing.
	Undecided
	// Skipped: a hit was to be checked, but the workers were busy or enough checks under way.
	Skipped
	checkOutcomes
)

var checkOutcomeNames = [checkOutcomes]string{"same", "different", "undecided", "skipped"}

// Begin reports whether a check of an entry of an age may begin, now that the workers are idle or not. Each that begins is
// ended by End.
func (k *Checks) Begin(idle bool, age time.Duration) bool {
	if idle && k.running.Add(1) <= maxChecks {
		return true
	}
	if idle {
		k.running.Add(-1)
	}
	k.count(Skipped, age)
	return false
}

// End counts the outcome of a check that began.
func (k *Checks) End(o CheckOutcome, age time.Duration) {
	k.running.Add(-1)
	k.count(o, age)
}

func (k *Checks) count(o CheckOutcome, age time.Duration) {
	for i := range checkAges {
		if age <= checkAges[i].most {
			k.counts[o][i].Add(1)
			return
		}
	}
}

// CheckCounts are numbers of checks by outcome (same, different, undecided, skipped) and by the age of the entry: at most 1s,
// 5s, 1m, 10m or 1h and more than the bound before, or older.
type CheckCounts map[string]map[string]uint64

// Counts returns what was counted and isn't 0.
func (k *Checks) Counts() CheckCounts {
	all := CheckCounts{}
	for o := range k.counts {
		for i := range k.counts[o] {
			n := k.counts[o][i].Load()
			if n == 0 {
				continue
			}
			if all[checkOutcomeNames[o]] == nil {
				all[checkOutcomeNames[o]] = map[string]uint64{}
			}
			all[checkOutcomeNames[o]][checkAges[i].name] = n
		}
	}
	return all
}

// Holds reports whether an entry is still what is stored under a key: no change that the cache was told of has touched it, nor
// is it gone for any other reason.
func (c *Cache) Holds(k Key, e *Entry) bool {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := s.lru.Peek(k)
	return n != nil && n.entry == e && (e.Expires.IsZero() || c.options.Clock().Before(e.Expires))
}

// Discard drops an entry that turned out to be wrong, and reports whether it was still what is stored under the key.
func (c *Cache) Discard(k Key, e *Entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.shard(k)
	s.mu.Lock()
	n, _ := s.lru.Peek(k)
	s.mu.Unlock()
	c.distrust()
	return n != nil && n.entry == e && c.drop(n)
}
