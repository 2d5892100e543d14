package cache

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parsescale/parsescale/server/change"
)

// Key identifies a question and who asks it: a 128-bit fingerprint of everything the answer depends on, and the
// length of what was fingerprinted.
type Key struct {
	Hi, Lo uint64
	Len    uint32
}

// Field is one line of a response's header.
type Field struct{ Name, Value string }

// Entry is a stored answer. It never changes once it was given to the cache, but for what Packed and Shared point at.
type Entry struct {
	Status int
	Header []Field // in order
	Body   []byte
	ETag   string
	// Packed has the body in content codings; nil: it is never sent in one.
	Packed *Packed
	// Everyone: the answer is shared by all who ask, whoever they are.
	Everyone bool
	// Timed: time alone alters the answer, so that a later one that differs proves nothing.
	Timed bool
	// Stored is when the answer was given.
	Stored time.Time
	// Expires is when the entry stops being served; zero: never.
	Expires time.Time
	// Until is how long the answer is good by the word of the worker that gave it; zero: until something changes. Later
	// than that it is served in no case.
	Until time.Time
	// Shared is for callers that hand the answer on; nil: nobody does.
	Shared *Shared
}

// Shared is what it takes to hand an answer on.
type Shared struct {
	// Reads is what the worker said that the answer depends on.
	Reads string
	// Last notes when it was done last, as the caller tells times.
	Last atomic.Uint64
}

// Options configure a Cache.
type Options struct {
	// MaxBytes bounds the memory of entries and of the index over them, in bytes. Default 64 MiB.
	MaxBytes int64
	// Shards is how many parts with a lock of their own the entries are spread over; it is rounded up to a power of
	// two. Default 64.
	Shards int
	// Recent is how many touched objects are remembered to check answers on their way against. Default 16384.
	Recent int
	// Oldest tells, before each look-up, how old an answer may be at this moment: one whose question was asked before that
	// time isn't served or waited for, but kept, since it may be good again. Zero: any age will do. Default: it always will.
	Oldest func() time.Time
	// Clock tells the time. Default time.Now.
	Clock func() time.Time
}

// Cache is a store of answers, bounded in bytes, with an index of what they depend on. It is safe for concurrent use.
//
// Lookups take the lock of one shard. Everything that decides whether an answer is still true (fills, changes,
// evictions) takes the one lock of the index, and then that of a shard.
type Cache struct {
	options Options
	shift   uint // key.Hi >> shift is the shard
	shards  []shard

	everyones everyones
	stale     atomic.Int64 // for how long expired entries are kept, in nanoseconds

	mu       sync.Mutex
	graph    graph
	flights  map[Key]*flight // fills that may be joined
	open     openChanges
	recent   recent
	seq      uint64 // number of finished prepares
	serial   uint64 // number of prepares begun
	stats    Stats  // what is counted under mu
	lost     lost
	past     past
	purged   uint64        // the last finish of what Purge and Discard did
	finished atomic.Uint64 // seq, for those without the lock
	shelves  int64         // memory of the shelves beside the nodes
}

type shard struct {
	mu           sync.Mutex
	lru          shelf
	hits, misses uint64
	_            [40]byte // cache lines of its own
}

// New returns an empty cache.
func New(o Options) *Cache {
	if o.MaxBytes <= 0 {
		o.MaxBytes = 64 << 20
	}
	if o.Shards <= 0 {
		o.Shards = 64
	}
	if o.Recent <= 0 {
		o.Recent = 16384
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Oldest == nil {
		o.Oldest = func() time.Time { return time.Time{} }
	}
	n := bits.Len(uint(o.Shards - 1)) // log2, rounded up
	c := &Cache{options: o, shift: uint(64 - n), shards: make([]shard, 1<<n), flights: map[Key]*flight{}}
	for i := range c.shards {
		c.shards[i].lru = newShelf()
	}
	c.graph.init()
	c.open.init()
	c.recent.init(o.Recent)
	c.lost.bound(o.MaxBytes)
	return c
}

func (c *Cache) shard(k Key) *shard { return &c.shards[k.Hi>>c.shift] }

// Get returns the entry of a key, if there is one and it hasn't expired.
func (c *Cache) Get(k Key) (*Entry, bool) {
	n := c.find(k, true, true)
	if n == nil {
		return nil, false
	}
	return n.entry, true
}

// GetEither returns the entry of the first key, or else that of the second. It counts as one look-up.
func (c *Cache) GetEither(first, second Key) (*Entry, bool) {
	n := c.find(first, true, false)
	if n == nil {
		n = c.find(second, true, true)
	}
	if n == nil {
		return nil, false
	}
	return n.entry, true
}

// find returns the stored node of a key, unless it has expired. hits and misses say what is counted.
func (c *Cache) find(k Key, hits, misses bool) *node {
	oldest := c.options.Oldest()
	s := c.shard(k)
	s.mu.Lock()
	n, ok := s.lru.Get(k)
	if ok && n.asked.Before(oldest) {
		if misses {
			s.misses++
		}
		s.mu.Unlock()
		return nil
	}
	var now time.Time
	if ok && !n.entry.Expires.IsZero() {
		now = c.options.Clock()
	}
	if ok && n.entry.lasts(now, 0) {
		if hits {
			s.hits++
			n.hits++
		}
		s.mu.Unlock()
		return n
	}
	if misses {
		s.misses++
	}
	s.mu.Unlock()
	if ok && !n.entry.lasts(now, time.Duration(c.stale.Load())) {
		c.mu.Lock()
		if c.drop(n) {
			c.stats.Expirations++
		}
		c.mu.Unlock()
	}
	return nil
}

// insert stores a node's entry, in the place of an older one with the same key, and makes room. The lock is held.
func (c *Cache) insert(n *node) {
	s := c.shard(n.key)
	s.mu.Lock()
	old, _ := s.lru.Peek(n.key)
	s.mu.Unlock()
	if old != nil {
		c.drop(old)
	}
	n.stored = true
	s.mu.Lock()
	c.shelves += s.lru.Add(n.key, n)
	s.mu.Unlock()
	*c.counted(n)++
	c.sweep(s, n)
	c.evict(int(n.key.Hi>>c.shift), n)
	s.mu.Lock()
	s.lru.grow()
	s.mu.Unlock()
}

// drop removes a stored entry and reports whether it was still there. The lock is held.
func (c *Cache) drop(n *node) bool {
	if !n.stored {
		return false
	}
	n.stored = false
	s := c.shard(n.key)
	s.mu.Lock()
	c.shelves -= s.lru.Remove(n.key)
	s.mu.Unlock()
	n.end()
	c.stats.PackedBytes -= n.packed
	c.graph.detach(n)
	*c.counted(n)--
	return true
}

// counted is where a stored node is counted.
func (c *Cache) counted(n *node) *int {
	if n.rights != nil {
		return &c.stats.Sessions
	}
	return &c.stats.Entries
}

// flush drops everything, and leaves no fill under way to be stored. It returns how many entries there were. The lock
// is held.
func (c *Cache) flush() int {
	n := c.stats.Entries
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		c.shelves -= s.lru.Purge()
		s.mu.Unlock()
	}
	c.graph.each(func(n *node) {
		if n.stored {
			c.dropped(n, byWhole)
		}
		n.stored = false
		n.end()
		if n.flight != nil {
			n.flight.dirty = true
		}
		n.forget()
	})
	clear(c.flights)
	c.graph.init()
	c.stats.Entries, c.stats.Sessions, c.stats.PackedBytes = 0, 0, 0
	c.stats.Invalidations += uint64(n)
	return n
}

// Purge drops what depends on an object, as if it had been written in an unknown way; with an objectID of "" what
// depends on the class, and with a class of "" everything. Answers on their way aren't stored either. It returns how
// many entries were dropped.
func (c *Cache) Purge(class, objectID string) int {
	ch := change.Change{Class: class, ObjectID: objectID, Kind: change.Update}
	if objectID == "" {
		ch.Kind = change.Purge
	}
	changes := []change.Change{ch}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.invalidate(changes)
	c.finish(c.hold(changes))
	c.distrust()
	return n
}
