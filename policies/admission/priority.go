package admission

import "math"

// Priority is how important a request is.
type Priority uint8

// The priorities, the most important first.
const (
	First      Priority = iota // health checks and whoever holds the master key
	Writes                     // writes and log-ins
	Reads                      // reads
	Last                       // functions, aggregates, files: what may take long
	Priorities                 // is their number
)

var priorityNames = [Priorities]string{"first", "writes", "reads", "last"}

// String is the priority's name in metrics.
func (p Priority) String() string {
	if p < Priorities {
		return priorityNames[p]
	}
	return "unknown"
}

// shares are how much of the limit may be taken, all requests under way counted, when a request of the priority is let
// in. A fifth is kept for writes and what is above them.
var shares = [Priorities]float64{1, 0.95, 0.8, 0.6}

// room is how many requests may be under way for one more of the priority to be let in below it.
func (p Priority) room(limit float64) int {
	return max(1, int(math.Ceil(limit*shares[p])))
}
