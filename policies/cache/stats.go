package cache

// Stats are a Cache's counters, and its present size.
type Stats struct {
	Entries int `json:"entries"`
	// Sessions is the number of session tokens of which it is known what they stand for.
	Sessions int `json:"sessions"`
	// Bytes is the memory of entries, of fills under way and of the index, in bytes; MaxBytes is its bound.
	Bytes    int64  `json:"bytes"`
	MaxBytes int64  `json:"max_bytes"`
	Hits     uint64 `json:"hits"`
	Misses   uint64 `json:"misses"`
	// Fills counts the questions that a worker was asked for the cache, Collapsed those that waited for one of them.
	Fills     uint64 `json:"fills"`
	Collapsed uint64 `json:"collapsed"`
	// RefusedFills counts the answers that weren't stored because a change may have touched them on their way.
	RefusedFills uint64 `json:"refused_fills"`
	// Taken counts the answers that another gateway was given and that are used here, RefusedTaken those that a change may have
	// touched since.
	Taken        uint64 `json:"taken"`
	RefusedTaken uint64 `json:"refused_taken"`
	// Oversized counts the answers that weren't stored because of their size, or of all they depend on.
	Oversized uint64 `json:"oversized"`
	// Shared counts the answers stored that are everyone's.
	Shared uint64 `json:"shared"`
	// PackedBytes is the part of Bytes that bodies in content codings have.
	PackedBytes int64 `json:"packed_bytes"`
	// Rejected counts those of the Evictions that went because others are asked for more often, not because they were used
	// longest ago.
	Rejected uint64 `json:"rejected"`
	// Invalidations, Evictions and Expirations count the entries dropped by a change, for room, and by age.
	Invalidations uint64 `json:"invalidations"`
	Evictions     uint64 `json:"evictions"`
	Expirations   uint64 `json:"expirations"`
	// Scanned is the number of wheres that every change of their class is matched against, because no value of an object
	// leads to them. Broad counts the questions that depend on any change of a class instead: it had too many of those.
	Scanned int    `json:"scanned"`
	Broad   uint64 `json:"broad"`
	// Drops tells the Invalidations by what of an entry was touched, and how many of them turned out to be needed.
	Drops Drops `json:"drops"`
	// Matching is how long it took to find what changes touch.
	Matching Matching `json:"matching"`
	// Changes counts the changes applied.
	Changes uint64 `json:"changes"`
	// Filling is the number of fills that may be joined, OpenPrepares that of the prepares that aren't finished.
	Filling      int `json:"filling"`
	OpenPrepares int `json:"open_prepares"`
}

// Stats returns the counters.
func (c *Cache) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Bytes, s.MaxBytes = c.bytes(), c.options.MaxBytes
	s.Scanned, s.Broad = c.graph.scanned, c.graph.broad
	s.Filling, s.OpenPrepares = len(c.flights), len(c.open.prepares)
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.Lock()
		s.Hits += sh.hits
		s.Misses += sh.misses
		sh.mu.Unlock()
	}
	return s
}
