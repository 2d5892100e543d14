package cache

import (
	"fmt"
	"strings"
	"testing"
)

// TestPackedBytesCount keeps bodies in codings, and looks at what they count for until the entry is gone.
func TestPackedBytesCount(t *testing.T) {
	stored := func(t *testing.T, max int64) (*Cache, *Entry) {
		c := New(Options{MaxBytes: max, Shards: 1})
		f, _ := c.Begin(key("k"), get("Game", "a"))
		e := entry(strings.Repeat("x", 4000))
		e.Packed = new(Packed)
		if !f.Store(e, Dependencies{}) {
			t.Fatal("not stored")
		}
		return c, e
	}
	for name, gone := range map[string]func(*Cache){
		"by a change": func(c *Cache) { apply(c, remove("Game", "a", fields{})) },
		"by a flush":  func(c *Cache) { c.Purge("", "") },
		"for room":    func(c *Cache) { c.SetMaxBytes(100) },
		"by another":  func(c *Cache) { put(t, c, "k", get("Game", "a")); c.Purge("Game", "a") },
	} {
		t.Run(name, func(t *testing.T) {
			c, e := stored(t, 1<<20)
			before := c.Stats().Bytes
			if !c.Pack(key("k"), e, 0, make([]byte, 700)) || !c.Pack(key("k"), e, 1, nil) {
				t.Fatal("not kept")
			}
			if c.Pack(key("k"), e, 0, make([]byte, 500)) {
				t.Error("a body was kept twice")
			}
			if s := c.Stats(); s.Bytes != before+700+2*packedBodySize || s.PackedBytes != 700 {
				t.Errorf("%d bytes more, %d of them packed", s.Bytes-before, s.PackedBytes)
			}
			if b, _ := e.Packed.Body(0, true, 1); len(b) != 700 {
				t.Errorf("a body of %d bytes", len(b))
			}
			gone(c)
			if s := c.Stats(); s.PackedBytes != 0 {
				t.Errorf("%d packed bytes of nothing", s.PackedBytes)
			}
			checkEmpty(t, c)
			if c.Pack(key("k"), e, 0, nil) {
				t.Error("a body of an entry that is gone was kept")
			}
		})
	}
	t.Run("they make others go", func(t *testing.T) {
		c, e := stored(t, 64<<10)
		for i := range 100 {
			put(t, c, fmt.Sprint("other ", i), get("Game", fmt.Sprint(i)))
			c.Get(key("k"))
		}
		before := c.Stats()
		if !c.Pack(key("k"), e, 0, make([]byte, 10<<10)) || !c.Pack(key("k"), e, 1, make([]byte, 10<<10)) {
			t.Fatal("not kept")
		}
		after := c.Stats()
		if after.Bytes > after.MaxBytes || after.Entries >= before.Entries || !c.Holds(key("k"), e) {
			t.Errorf("%d bytes of %d, %d entries of %d", after.Bytes, after.MaxBytes, after.Entries, before.Entries)
		}
		if after.PackedBytes != 10<<10 {
			t.Errorf("%d packed bytes: one entry has more than a quarter", after.PackedBytes)
		}
	})
}

func TestPackedIsMadeOnce(t *testing.T) {
	var p Packed
	for i := range 5 {
		if _, pack := p.Body(0, true, 3); pack != (i == 2) {
			t.Errorf("wish %d: pack is %v", i+1, pack)
		}
		if _, pack := p.Body(1, false, 1); pack {
			t.Error("one that doesn't count made it pack")
		}
	}
}
