package cache

import (
	"slices"
	"time"
)

// MatchBounds are the upper bounds that Matching counts by, in seconds.
var MatchBounds = [...]float64{1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2, .1}

// Matching is how long it took to find what the changes of a commit touch. Nothing else of the index is used meanwhile, but
// entries are served.
type Matching struct {
	// Commits is how many were matched, Seconds how long that took in all.
	Commits uint64  `json:"commits"`
	Seconds float64 `json:"seconds"`
	// Within counts those that took at most MatchBounds[i] and more than the bound before; the last ones have no bound.
	Within [len(MatchBounds) + 1]uint64 `json:"-"`
}

func (m *Matching) took(d time.Duration) {
	s := d.Seconds()
	m.Commits++
	m.Seconds += s
	i, _ := slices.BinarySearch(MatchBounds[:], s)
	m.Within[i]++
}
