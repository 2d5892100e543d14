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
	if s := c.Stats(); s.Scanned != 0 || s.Entries != 0 || s.Bytes != c.lost.size() {
		t.Errorf("after a purge: %+v", s)
	}
}

// TestTooManyScannedAndAWindow has the where of a top list become a dependency on any change of its class, while its inner
// where stays in the index: the list's window says nothing of the objects that the inner one finds.
func TestTooManyScannedAndAWindow(t *testing.T) {
	for _, crowd := range []int{0, maxScanned} {
		c := New(Options{})
		for i := range crowd {
			put(t, c, fmt.Sprint("not ", i), find(t, "A", fmt.Sprintf(`{"n":{"$ne":%d}}`, i)))
		}
		q := windowQuery(t, `where={"b":{"$inQuery":{"className":"B","where":{"x":1}}}}&order=n&limit=1`)
		f, _ := c.Begin(key("top"), Reading{Class: "A", Query: q, Level: Exact})
		body := []byte(`{"results":[{"objectId":"a2","n":2,"b":{"__type":"Pointer","className":"B","objectId":"b2"}}]}`)
		d, ok := FromBody(q, body)
		if !ok || !f.Store(&Entry{Status: 200, Body: body}, d) {
			t.Fatal("not stored")
		}
		if s := c.Stats(); s.Broad > 0 != (crowd > 0) {
			t.Fatalf("with %d others: broad %d", crowd, s.Broad)
		}
		c.Get(key("top"))
		if h := c.Hottest(1); h[0].Class != "A" || (h[0].Where == "") != (crowd > 0) {
			t.Errorf("with %d others it is described as %+v", crowd, h[0])
		}
		// a1, the n of which is 1, points to b1, which begins to match: a1 is the first now. That b1 has an n plays no part.
		c.Prepare([]change.Change{update("B", "b1", fields{"x": 0.0, "n": 7.0}, fields{"x": 1.0, "n": 7.0})})()
		if _, still := c.Get(key("top")); still {
			t.Errorf("with %d others: what is stale is served", crowd)
		}
	}
}
