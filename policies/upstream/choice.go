package upstream

import (
	"time"

	"github.com/parsescale/parsescale/policies/balance"
)

// Member is a worker for those who choose by themselves which one is asked first; see Request.Worker.
type Member struct {
	Name    string
	Address Address
	// Ready: it may be asked now, and is to get requests.
	Ready bool
}

// Members are all members, in the order in which they were added.
func (p *Pool) Members() []Member {
	now := time.Now()
	members := *p.members.Load()
	all := make([]Member, 0, len(members))
	for _, w := range members {
		all = append(all, Member{Name: w.target.Name, Address: w.addr, Ready: w.policy.node.Share() > 0 && w.ready(now)})
	}
	return all
}

// Pick names the member that a request without a key would be sent to if there were only those for which among is true; "" if none
// of them may be asked. Nothing is sent, and no seat is taken.
func (p *Pool) Pick(among func(name string) bool) string {
	var (
		nodes   []*balance.Node
		workers []*worker
		now     = time.Now()
	)
	for _, w := range *p.members.Load() {
		if among(w.target.Name) && w.ready(now) {
			nodes, workers = append(nodes, w.policy.node), append(workers, w)
		}
	}
	node := p.picker.Pick(nodes, nil)
	for i, n := range nodes {
		if n == node {
			return workers[i].target.Name
		}
	}
	return ""
}
