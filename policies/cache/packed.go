package cache

import "sync/atomic"

// maxCodings is how many content codings a body can be kept in beside the one it came in.
const maxCodings = 2

// Packed are an entry's body in content codings, which the caller numbers from 0. They are made once they are asked for often
// enough, and are the one thing about an entry that changes. It is safe for concurrent use.
type Packed struct {
	asked  [maxCodings]atomic.Uint32
	bodies [maxCodings]atomic.Pointer[[]byte]
}

// packedSize is the memory of Packed, packedBodySize that of one body beside its bytes.
const (
	packedSize     = 32
	packedBodySize = 32
)

// Body returns the body in a coding; nil if it isn't there, or isn't worth it. With count it counts a wish for it, and pack says
// that this is the one, the nth, upon which the caller makes it and calls Cache.Pack.
func (p *Packed) Body(coding int, count bool, nth uint32) (body []byte, pack bool) {
	if b := p.bodies[coding].Load(); b != nil {
		return *b, false
	}
	return nil, count && p.asked[coding].Add(1) == nth
}

// Pack keeps an entry's body in a coding, within the bound; an empty body says that the coding isn't worth it. It reports whether
// the entry was still what is stored under the key.
func (c *Cache) Pack(k Key, e *Entry, coding int, body []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.shard(k)
	s.mu.Lock()
	n, _ := s.lru.Peek(k)
	s.mu.Unlock()
	if n == nil || n.entry != e || e.Packed == nil || e.Packed.bodies[coding].Load() != nil {
		return false
	}
	if n.size+int64(cap(body)) > c.options.MaxBytes/4 {
		body = nil // it would take the place of too many others
	}
	c.graph.charge(n, packedBodySize+int64(cap(body)))
	c.stats.PackedBytes += int64(cap(body))
	n.packed += int64(cap(body))
	e.Packed.bodies[coding].Store(&body)
	if c.evict(int(k.Hi>>c.shift), n); c.bytes() > c.options.MaxBytes {
		c.drop(n) // nothing else could go
		c.stats.Evictions++
	}
	return true
}
