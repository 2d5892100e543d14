package cache

import "sync/atomic"

// everyones remembers questions whose answers were everyone's, the latest of those that have the same place. It only
// guesses: what it says decides who waits for whom, never who gets what.
type everyones [4096]atomic.Uint64

func (e *everyones) place(k Key) *atomic.Uint64 { return &e[k.Lo%uint64(len(e))] }

// note notes how the answer to a question turned out that was asked under the key asked and is stored under the key k.
func (e *everyones) note(asked, k Key, everyone bool) {
	if everyone {
		e.place(k).Store(k.Hi)
	} else {
		e.place(asked).CompareAndSwap(asked.Hi, 0)
	}
}

// LikelyEveryones reports whether the latest answer that was stored, or was to be, under a key of everyone's was. Then all
// who ask better wait for one fill (see Reading.Everyone) than each for one among those with equal rights.
func (c *Cache) LikelyEveryones(k Key) bool { return c.everyones.place(k).Load() == k.Hi }
