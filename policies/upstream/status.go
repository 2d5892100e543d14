package upstream

import "time"

// Status is a worker as the admin API shows it.
type Status struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	// State is up, ejected (for a while, after failed requests), down (by failed health checks) or draining.
	State string `json:"state"`
	// InFlight is the number of requests it is answering now, Upgraded that of its upgraded connections, such as WebSockets.
	InFlight int64 `json:"in_flight"`
	Upgraded int64 `json:"upgraded,omitempty"`
	// LatencyMS is the averaged time to the header of an answer in milliseconds (peak-EWMA); 0: unknown.
	LatencyMS float64 `json:"latency_ms"`
	// Weight is below 1 in the first seconds of a new worker.
	Weight float64 `json:"weight"`
	// Share is its share of the requests against the shares of the others.
	Share int `json:"share"`
	// Breaker is closed, half-open or open.
	Breaker string `json:"breaker"`
	// Requests were sent to it, repetitions included; Failures are those it failed on; Retries are those that had
	// failed before on another worker, or on this one.
	Requests uint64 `json:"requests"`
	Failures uint64 `json:"failures"`
	Retries  uint64 `json:"retries"`
	// Slow took longer than Request.Slow.
	Slow uint64 `json:"slow"`
}

// Status tells of every member, in the order in which they were added.
func (p *Pool) Status() []Status {
	now := time.Now()
	members := *p.members.Load()
	all := make([]Status, 0, len(members))
	for _, w := range members {
		node := w.policy.node.Status()
		s := Status{
			Name: w.target.Name, Kind: w.target.Kind.String(), State: w.policy.health.State(now).String(),
			InFlight: w.busy(), Upgraded: w.upgraded.Load(), LatencyMS: float64(node.Latency) / float64(time.Millisecond), Weight: node.Weight, Share: w.policy.node.Share(),
			Breaker:  w.policy.breaker.State().String(),
			Requests: w.requests.Load(), Failures: w.failures.Load(), Retries: w.retries.Load(), Slow: w.slow.Load(),
		}
		if w.draining.Load() {
			s.State = "draining"
		}
		all = append(all, s)
	}
	return all
}

// Available tells how many members may be asked now. 0 means that requests wait and then fail with ErrNoWorker.
func (p *Pool) Available() int {
	now, n := time.Now(), 0
	for _, w := range *p.members.Load() {
		if w.policy.node.Share() > 0 && w.ready(now) {
			n++
		}
	}
	return n
}

// Busy is how many requests are under way, upgraded connections aside.
func (p *Pool) Busy() (n int64) {
	for _, w := range *p.members.Load() {
		n += w.busy()
	}
	return n
}

// Idle reports whether a member that may be asked now has nothing to do.
func (p *Pool) Idle() bool {
	now := time.Now()
	for _, w := range *p.members.Load() {
		if w.busy() == 0 && w.ready(now) {
			return true
		}
	}
	return false
}
