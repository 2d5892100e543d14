package peers

import (
	"slices"
	"strings"
	"time"
)

// Status is a Node's state for the admin API.
type Status struct {
	// Name is this gateway's name among its peers.
	Name string `json:"name"`
	// Consistency is "bounded" or "strict".
	Consistency string `json:"consistency"`
	// InStep: every gateway in the roster has confirmed within the lease; answers are served whatever their age.
	InStep bool `json:"in_step"`
	// LagMS is how long the last own beat took to the log and back, in milliseconds.
	LagMS float64 `json:"lag_ms"`
	// Peers are the other gateways.
	Peers []Peer `json:"peers"`
	// Received counts the records of others, Gaps the times that some were missing or a gateway was gone without a word.
	Received uint64 `json:"received"`
	Gaps     uint64 `json:"gaps"`
	// Queued is the number of records that wait to be published, Lost that of those that were thrown away.
	Queued int    `json:"queued"`
	Lost   uint64 `json:"lost"`
	// Waited counts the writes that had to wait for other gateways, or for the roster; Waiting is how many do now.
	Waited  uint64 `json:"waited"`
	Waiting int    `json:"waiting"`
}

// Peer is what is known of another gateway.
type Peer struct {
	Name string `json:"name"`
	// Member: its workers may write.
	Member bool `json:"member"`
	// ConfirmedMS is how long ago it was that all it had committed by then is applied here, in milliseconds; -1: never.
	ConfirmedMS float64 `json:"confirmed_ms"`
	// Position is the number of its last record that was applied.
	Position uint64 `json:"position"`
	// Prepared is the number of its writes that are about to be committed.
	Prepared int `json:"prepared"`
}

// Status returns the state of the Node.
func (n *Node) Status() Status {
	now := n.o.Clock()
	n.mu.Lock()
	defer n.mu.Unlock()
	s := Status{
		Name: n.o.Name, Consistency: "bounded", InStep: now.Before(*n.step.Load()), LagMS: ms(n.lag), Peers: []Peer{},
		Received: n.totals.received, Gaps: n.totals.gaps, Queued: len(n.queue) + len(n.batch), Lost: n.totals.lost,
		Waited: n.totals.waits, Waiting: len(n.waiting),
	}
	if n.o.Strict {
		s.Consistency = "strict"
	}
	for name, p := range n.peers {
		if p.left || !p.member && now.Sub(p.read) > 10*n.o.Lease {
			continue
		}
		c := -1.0
		if !p.confirmed.IsZero() {
			c = ms(now.Sub(p.confirmed))
		}
		s.Peers = append(s.Peers, Peer{Name: name, Member: p.member, ConfirmedMS: c, Position: p.last, Prepared: len(p.held)})
	}
	slices.SortFunc(s.Peers, func(a, b Peer) int { return strings.Compare(a.Name, b.Name) })
	return s
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
