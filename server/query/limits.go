package query

import (
	"cmp"
	"time"
)

// Limits bound what a query may cost and say in whose name it is read. The zero value means the defaults, which no
// query written by hand comes near; a negative bound means none.
type Limits struct {
	// Bytes is the length of a where in bytes. Default 1 MiB.
	Bytes int
	// Depth is how deep $or, $and and $nor may be nested, sub-queries included. Default 32. (The values in a where
	// may be nested as deep as Decode allows.)
	Depth int
	// Constraints is the number of conditions in a where with its sub-queries, logical ones included. Default 4096.
	Constraints int
	// Values is the number of values of one $in, $nin, $all or $containedBy. Default 32768.
	Values int
	// SubQueries is how deep $inQuery, $notInQuery, $select and $dontSelect may be nested. Default 8.
	SubQueries int
	// Pattern is the length of a $regex, or of the term of a $text, in bytes. Default 4096.
	Pattern int
	// Vertices is the number of vertices of a polygon. Default 1024.
	Vertices int
	// Fields is the number of names in each of keys, excludeKeys, include and order. Default 1024.
	Fields int
	// NoRegex refuses $regex. Default: false.
	NoRegex bool
	// Privileged: the master key asks, so that internal fields (_rperm, _tombstone …) may be queried.
	Privileged bool
	// Now is the clock for $relativeTime. Default time.Now.
	Now func() time.Time
}

func (l Limits) withDefaults() Limits {
	l.Bytes = bound(l.Bytes, 1<<20)
	l.Depth = bound(l.Depth, 32)
	l.Constraints = bound(l.Constraints, 4096)
	l.Values = bound(l.Values, 32768)
	l.SubQueries = bound(l.SubQueries, 8)
	l.Pattern = bound(l.Pattern, 4096)
	l.Vertices = bound(l.Vertices, 1024)
	l.Fields = bound(l.Fields, 1024)
	if l.Now == nil {
		l.Now = time.Now
	}
	return l
}

func bound(n, otherwise int) int {
	if n < 0 {
		return 1 << 30
	}
	return cmp.Or(n, otherwise)
}
