package cache

import (
	"reflect"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/change"
)

func TestHottest(t *testing.T) {
	c := New(Options{})
	put(t, c, "cold", find(t, "Game", `{"name":"SECRET"}`), "Game:a")
	put(t, c, "hot", get("Game", "b"), "Game:b")
	put(t, c, "gone", get("Game", "c"), "Game:c")
	for range 3 {
		has(c, "hot")
		has(c, "gone")
	}
	has(c, "cold")
	apply(c, change.Change{Class: "Game", ObjectID: "c", Kind: change.Delete, Before: image("c", fields{"name": "other"})})
	hot := c.Hottest(10)
	if len(hot) != 2 {
		t.Fatalf("%d entries, want 2: %+v", len(hot), hot)
	}
	if h := hot[0]; h.Class != "Game" || h.ObjectID != "b" || h.Hits != 3 || h.Bytes <= 0 || h.Expires != nil {
		t.Errorf("the hottest is %+v", h)
	}
	if h := hot[1]; h.Class != "Game" || h.Where != "name ?" || h.Hits != 1 || h.DependsOn == 0 {
		t.Errorf("the second is %+v", h)
	}
	if hot := c.Hottest(1); len(hot) != 1 || hot[0].ObjectID != "b" {
		t.Errorf("the first alone: %+v", hot)
	}
	if hot := c.Hottest(-1); len(hot) != 0 {
		t.Errorf("none: %+v", hot)
	}
}

func TestExplain(t *testing.T) {
	c := New(Options{})
	r := find(t, "Game", `{"name":"SECRET","owner":{"$inQuery":{"className":"_User","where":{"level":{"$gt":5}}}}}`)
	unknown := c.Explain(r, key("q"))
	if unknown.Entry != nil || !unknown.Storable || unknown.Filling || unknown.Changing {
		t.Errorf("before it is asked: %+v", unknown)
	}
	want := []string{"Game where name ?, owner $inQuery (_User: level $gt ?)", "_User where level $gt ?"}
	if !reflect.DeepEqual(unknown.DependsOn, want) {
		t.Errorf("it depends on %q, want %q", unknown.DependsOn, want)
	}

	put(t, c, "q", r, "Game:a", "_User:u", "_Role")
	has(c, "q")
	stored := c.Explain(r, key("q"))
	if stored.Entry == nil || stored.Entry.Hits != 1 || stored.Key == "" {
		t.Fatalf("once it is stored: %+v", stored)
	}
	for _, s := range append(want, "Game object a", "_User object u", "_Role any change") {
		if !strings.Contains(strings.Join(stored.DependsOn, "\n"), s) {
			t.Errorf("it depends on %q, which lacks %q", stored.DependsOn, s)
		}
	}
	if n := c.Stats().Hits + c.Stats().Misses; n != 1 {
		t.Errorf("explaining counts as a lookup: %d", n)
	}

	finish := c.Prepare([]change.Change{{Class: "Game", ObjectID: "a", Kind: change.Update}})
	if x := c.Explain(r, key("q")); x.Entry != nil || !x.Changing {
		t.Errorf("while a change is open: %+v", x)
	}
	finish()
	if x := c.Explain(find(t, "Game", `{"a":{"$inQuery":{"className":"B","where":{},"redirectClassNameForKey":"x"}}}`), key("q")); x.Storable {
		t.Errorf("what can't be told: %+v", x)
	}
	if x := c.Explain(Reading{Class: "Game", Level: TTL, Token: true}, key("r")); !strings.Contains(strings.Join(x.DependsOn, "\n"), "_Session any change") {
		t.Errorf("a question that can't be read: %+v", x)
	}
}
