package peakewma

import (
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/parsescale/parsescale/policies/balance"
)

// tables keep what is known of upstreams across config reloads.
var tables = caddy.NewUsagePool()

// tableKey is what makes a table another one: 0 stands for the default, a negative slow start for none.
type tableKey struct{ decay, slowStart time.Duration }

// forgotten is how long an upstream that nobody lists is remembered.
const forgotten = 10 * time.Minute

// table is what is known of upstreams, by address.
type table struct {
	picker *balance.Picker
	now    func() time.Time

	mu    sync.RWMutex
	nodes map[string]*listed
}

// listed is an upstream's node and when the upstream was listed last.
type listed struct {
	node *balance.Node
	at   time.Time
}

func newTable(k tableKey) *table {
	return &table{
		picker: balance.New(balance.Options{Decay: k.decay, SlowStart: k.slowStart}), now: time.Now, nodes: map[string]*listed{},
	}
}

// Destruct implements caddy.Destructor.
func (*table) Destruct() error { return nil }

// node returns an upstream's node. One that comes makes those forgotten that went long ago, so that addresses which change
// all the time don't fill the memory.
func (t *table) node(address string) *balance.Node {
	now := t.now()
	t.mu.RLock()
	l := t.nodes[address]
	fresh := l != nil && now.Sub(l.at) < forgotten/10
	t.mu.RUnlock()
	if fresh {
		return l.node
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if l = t.nodes[address]; l == nil {
		for a, old := range t.nodes {
			if now.Sub(old.at) > forgotten && old.node.InFlight() == 0 {
				delete(t.nodes, a)
			}
		}
		l = &listed{node: t.picker.NewNode()}
		t.nodes[address] = l
	}
	l.at = now
	return l.node
}
