package feed

// State says what a feed of foreign writes can promise.
type State uint8

const (
	// Lost: what is written isn't told, and it isn't known why not, or for how long.
	Lost State = iota
	// Live: whatever the feed tells of is told a moment after it can be seen.
	Live
	// Refused: nothing will be told until somebody changes something.
	Refused
)

// String returns the state's name.
func (s State) String() string {
	switch s {
	case Live:
		return "live"
	case Refused:
		return "refused"
	}
	return "lost"
}

// MarshalText implements encoding.TextMarshaler.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
