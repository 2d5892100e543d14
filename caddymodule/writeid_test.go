package caddymodule

import (
	"regexp"
	"testing"
)

func TestWriteIDs(t *testing.T) {
	known := regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`) // as workers take them
	a, b := newWriteIDs(), newWriteIDs()
	last := ""
	for range 300 {
		id := a.next()
		if id <= last || !known.MatchString(id) || id == b.next() {
			t.Fatalf("%q after %q", id, last)
		}
		last = id
	}
}
