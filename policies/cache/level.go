package cache

import (
	"fmt"
	"time"
)

// Level says what the cache may promise, which depends on what the gateway learns of writes. The zero value is the
// most careful one.
type Level uint8

// The levels, from the least known of writes to all of it.
const (
	// TTL: only the writes that pass this gateway are known, and of them only the class.
	TTL Level = iota
	// Lossy: other writes are announced, but announcements may be lost.
	Lossy
	// Fenced: the database's own log tells every write, a moment after it can be seen.
	Fenced
	// Exact: every write is announced before it can be seen.
	Exact
)

// levels is the one table of the levels' rules; Caddy's part and /parse/status read it.
var levels = [...]struct {
	name, promise string
	maxTTL        time.Duration
	tokenScope    bool
}{
	TTL: {
		"ttl", "A write through this gateway is seen at once in the class it names; everything else may be up to 5 seconds old.",
		5 * time.Second, true,
	},
	Lossy: {
		"lossy", "A write through this gateway is seen at once; other writes are seen when they are announced, or after at most 5 seconds.",
		5 * time.Second, true,
	},
	Fenced: {
		"fenced", "A write through this gateway is seen at once; other writes are seen within the lag of the database's log.",
		0, false,
	},
	Exact: {
		"exact", "An acknowledged write is seen by every later read through this gateway, and no read gives an older result than one that ended before it.",
		0, false,
	},
}

func (l Level) valid() bool { return int(l) < len(levels) }

// String returns the level's name.
func (l Level) String() string {
	if !l.valid() {
		return "unknown"
	}
	return levels[l].name
}

// Promise says in a sentence what a client may rely on.
func (l Level) Promise() string {
	if !l.valid() {
		return ""
	}
	return levels[l].promise
}

// MaxTTL is the longest an entry may be served after its question was asked; 0: no limit of the level's own.
func (l Level) MaxTTL() time.Duration {
	if !l.valid() {
		return time.Nanosecond
	}
	return levels[l].maxTTL
}

// TokenScope reports whether answers may be shared only among requests with the very same session token, rather than
// among those with the same user and roles.
func (l Level) TokenScope() bool { return !l.valid() || levels[l].tokenScope }

// MarshalText implements encoding.TextMarshaler.
func (l Level) MarshalText() ([]byte, error) {
	if !l.valid() {
		return nil, fmt.Errorf("cannot encode the cache level %d", l)
	}
	return []byte(l.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Level) UnmarshalText(text []byte) error {
	for i := range levels {
		if levels[i].name == string(text) {
			*l = Level(i)
			return nil
		}
	}
	return fmt.Errorf("cannot use %q as a cache level: it is none of ttl, lossy, fenced, exact", text)
}
