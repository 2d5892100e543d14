package cache

import "time"

// sweep drops up to two expired entries from the unused end of a shard: as many leave as come, without a goroutine
// that looks for them. The lock is held.
func (c *Cache) sweep(s *shard, keep *node) {
	for range 2 {
		s.mu.Lock()
		n, ok := s.lru.GetOldest()
		s.mu.Unlock()
		if !ok || n == keep || n.entry.Expires.IsZero() || n.entry.lasts(c.options.Clock(), time.Duration(c.stale.Load())) {
			return
		}
		c.drop(n)
		c.stats.Expirations++
	}
}

// SetMaxBytes changes the bound, in bytes; what doesn't fit any more is dropped. A bound of 0 or less is ignored.
func (c *Cache) SetMaxBytes(n int64) {
	if n <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.options.MaxBytes = n
	c.lost.bound(n)
	c.past.maxSize = n / pastShare // what is over goes with the next change
	c.evict(0, nil)
}

// bytes is the memory that counts. The lock is held.
func (c *Cache) bytes() int64 { return c.graph.bytes + c.shelves + c.lost.size() + c.past.size }

// evict drops entries until the bound holds again, beginning with one shard and sparing the entry that was just stored. The lock
// is held.
func (c *Cache) evict(first int, keep *node) {
	for i := 0; i < len(c.shards) && c.bytes() > c.options.MaxBytes; {
		s := &c.shards[(first+i)%len(c.shards)]
		s.mu.Lock()
		n, rejected := s.lru.loser(keep)
		s.mu.Unlock()
		if n == nil {
			i++
			continue
		}
		c.drop(n)
		c.stats.Evictions++
		if rejected {
			c.stats.Rejected++
		}
	}
}
