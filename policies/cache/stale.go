package cache

import "time"

// SetStale says for how long after its time to live an entry is kept for Stale; 0, as it is at first: not at all.
func (c *Cache) SetStale(d time.Duration) { c.stale.Store(int64(max(d, 0))) }

// Stale returns the entry of a key if it has expired no longer than d ago, or hasn't at all. It counts as no look-up. An entry
// that a change dropped is gone here, too, and none is returned after its Until.
func (c *Cache) Stale(k Key, d time.Duration) (*Entry, bool) {
	if n := c.peekStale(k, d); n != nil && n.rights == nil {
		return n.entry, true
	}
	return nil, false
}

// StaleRights is Rights for Stale: what the session token stands for as far as anybody has told, if that had to be asked again
// no longer than d ago. Who loses a session, a role or a permission, or whose session ends, has none here either.
func (c *Cache) StaleRights(token Key, d time.Duration) *Rights {
	if n := c.peekStale(token, d); n != nil {
		return n.rights
	}
	return nil
}

func (c *Cache) peekStale(k Key, d time.Duration) *node {
	oldest, now := c.options.Oldest(), c.options.Clock()
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, ok := s.lru.Peek(k); ok && !n.asked.Before(oldest) && n.entry.lasts(now, d) {
		return n
	}
	return nil
}

// DropExpired drops what is only kept for Stale under the keys: a worker has answered the question since, with what isn't stored.
func (c *Cache) DropExpired(keys ...Key) {
	if c.stale.Load() == 0 {
		return
	}
	now := c.options.Clock()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range keys {
		s := c.shard(k)
		s.mu.Lock()
		n, _ := s.lru.Peek(k)
		s.mu.Unlock()
		if n != nil && !n.entry.lasts(now, 0) && c.drop(n) {
			c.stats.Expirations++
		}
	}
}

// lasts reports whether the entry hasn't expired, or no longer than past ago.
func (e *Entry) lasts(now time.Time, past time.Duration) bool {
	return e.Expires.IsZero() || now.Before(e.Expires) ||
		past > 0 && now.Before(e.Expires.Add(past)) && (e.Until.IsZero() || now.Before(e.Until))
}
