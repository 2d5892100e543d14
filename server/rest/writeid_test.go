package rest

import (
	"strings"
	"testing"
)

// TestIsWriteID: what isn't an id that a gateway makes is none, so that it can't grow the table of those that are kept.
func TestIsWriteID(t *testing.T) {
	for id, want := range map[string]bool{
		"a": true, "AZaz09_-": true, strings.Repeat("x", 64): true,
		"": false, strings.Repeat("x", 65): false, "a b": false, "a\n": false, "ä": false, "a/b": false, "a.b": false, "@": false, "[": false, "`": false, "{": false, ":": false, "\x00": false,
	} {
		if isWriteID(id) != want {
			t.Errorf("isWriteID(%q) is %t", id, !want)
		}
	}
}
