package cache

import (
	"hash/maphash"
	"sync/atomic"
	"time"
)

// Rights are what a session token stands for, as a worker told: a user and roles. They end when a change may have
// altered that: the session, the user, or any role.
type Rights struct {
	// Name is equal for equal users with equal roles, and only for them.
	Name string

	ended atomic.Bool
}

// Current reports whether the rights are still known to be true. Who takes an entry that is shared among those with
// these rights asks after that: then the entry was there while the rights were true, and nobody sees what was written
// after they were taken away.
func (r *Rights) Current() bool { return !r.ended.Load() }

// Rights returns what the session token with the key stands for; nil: it isn't known.
func (c *Cache) Rights(token Key) *Rights {
	if n := c.find(token, false, false); n != nil {
		return n.rights
	}
	return nil
}

// StoreRights remembers what a session token stands for, as the answer to this fill told, until expires; the session ends at
// until, if that isn't zero. d is what it depends on. It isn't stored if it may have been altered since Begin. Only the leader
// stores, and before Store or Abandon.
func (f *Fill) StoreRights(token Key, name string, d Dependencies, expires, until time.Time) (stored bool) {
	c := f.c
	if !f.leader || len(d.refs) == 0 && len(d.classes) == 0 {
		return false // it depends at least on the session
	}
	e := &Entry{Expires: expires, Until: until}
	if !expires.IsZero() && !c.options.Clock().Before(expires) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.fl.settled {
		return false
	}
	if d.overflow || c.touchedSince(f.fl.seq, &d) {
		f.fl.stale = true // who joined later may have other rights by then
		return false
	}
	s := c.shard(token)
	s.mu.Lock()
	old, _ := s.lru.Peek(token)
	goesOn := old != nil && old.rights.Name == name && old.rights.Current() && c.options.Clock().Before(old.entry.Expires)
	if goesOn && old.asked.Before(f.fl.began) {
		old.asked = f.fl.began
	}
	s.mu.Unlock()
	if goesOn { // and so does who has them
		return true
	}
	n := &node{key: token, entry: e, asked: f.fl.began, rights: &Rights{Name: name}, sum: maphash.String(sumSeed, name)}
	c.graph.charge(n, nodeSize+rightsSize+int64(len(name)))
	c.graph.depend(n, &d)
	c.insert(n)
	c.filled(n)
	return true
}

// end tells those who hold a node's rights that they are no longer known to be true.
func (n *node) end() {
	if n.rights != nil {
		n.rights.ended.Store(true)
	}
}
