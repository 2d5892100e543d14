package decoding

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// snapshot is what pg_current_snapshot tells: which transactions a statement that starts now sees.
type snapshot struct {
	xmin, xmax uint64   // all before xmin have ended, none from xmax on has
	running    []uint64 // between them, in order
}

// parseSnapshot reads xmin:xmax:xip,xip….
func parseSnapshot(text string) (snapshot, error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return snapshot{}, fmt.Errorf("cannot read the snapshot %q", text)
	}
	var s snapshot
	var err error
	number := func(digits string) uint64 {
		n, failed := strconv.ParseUint(digits, 10, 64)
		if failed != nil {
			err = fmt.Errorf("cannot read the snapshot %q", text)
		}
		return n
	}
	s.xmin, s.xmax = number(parts[0]), number(parts[1])
	if parts[2] != "" {
		for digits := range strings.SplitSeq(parts[2], ",") {
			s.running = append(s.running, number(digits))
		}
	}
	if err == nil && s.xmin > s.xmax {
		err = fmt.Errorf("cannot read the snapshot %q", text)
	}
	slices.Sort(s.running)
	return s, err
}

// sees reports whether a transaction that has committed is visible. The log tells only the lower half of its number;
// the upper half is that of the nearest number to the snapshot's.
func (s *snapshot) sees(xid uint32) bool {
	full := s.xmax + uint64(int64(int32(xid-uint32(s.xmax))))
	if full >= s.xmax {
		return false
	}
	_, running := slices.BinarySearch(s.running, full)
	return !running
}
