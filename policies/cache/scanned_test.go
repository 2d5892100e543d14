package cache

import (
	"fmt"
	"testing"

	"github.com/parsescale/parsescale/server/change"
)

// TestTooManyScanned: what no value of an object leads to is matched against every change of its class, up to a bound; beyond
// it any change of the class drops an answer.
func TestTooManyScanned(t *testing.T) {
	c := New(Options{})
	for i := range maxScanned + 2 {
		put(t, c, fmt.Sprint("not ", i), find(t, "A", fmt.Sprintf(`{"n":{"$ne":%d}}`, i)))
	}
	put(t, c, "equal", find(t, "A", `{"n":-1}`))
	put(t, c, "another class", find(t, "B", `{"n":{"$ne":0}}`))
	if s := c.Stats(); s.Scanned != maxScanned+1 || s.Broad != 2 || s.Entries != maxScanned+4 {
		t.Fatalf("scanned %d, broad %d, entries %d", s.Scanned, s.Broad, s.Entries)
	}
	// Nothing that a where looks at changes: only those that depend on any change are dropped.
	c.Prepare([]change.Change{update("A", "x", fields{"n": 7.0, "m": 1.0}, fields{"n": 7.0, "m": 2.0})})()
	if s := c.Stats(); s.Broad != 2 {
		t.Errorf("broad %d", s.Broad)
	}
	for name, want := range map[string]bool{
		"not 7": true, "equal": true, "another class": true, "not 8": true,
		fmt.Sprint("not ", maxScanned):   false,
		fmt.Sprint("not ", maxScanned+1): false,
	} {
		if _, got := c.Get(key(name)); got != want {
			t.Errorf("%q is there: %v, want %v", name, got, want)
		}
	}
	c.Purge("", "")
	if s := c.Stats(); s.Scanned != 0 || s.Entries != 0 || s.Bytes != 0 {
		t.Errorf("after a purge: %+v", s)
	}
}
