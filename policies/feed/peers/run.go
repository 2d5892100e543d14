package peers

import (
	"context"
	"sync"
	"time"
)

// Log is what carries records between the gateways: all of them read all that any of them appends, in one order. It may lose
// records and repeat them.
type Log interface {
	// Append adds records in their order. After an error any first part of them may have been added, or be added later.
	Append(ctx context.Context, records [][]byte) error
	// Read waits for records that weren't read before, no longer than a second or so, and returns them in order.
	Read(ctx context.Context) ([][]byte, error)
}

// Pauses after an error of the log.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = 500 * time.Millisecond
)

// Run serves a Node until ctx ends: it publishes what the Node says, brings it what the others do, and ticks.
func (n *Node) Run(ctx context.Context, log Log) {
	var all sync.WaitGroup
	all.Go(func() { n.publish(ctx, log) })
	all.Go(func() { n.read(ctx, log) })
	tick := time.NewTicker(n.o.Lease / 40)
	defer tick.Stop()
	for n.Tick(); ; n.Tick() {
		select {
		case <-ctx.Done():
			all.Wait()
			return
		case <-tick.C:
		}
	}
}

func (n *Node) publish(ctx context.Context, log Log) {
	var t troubled
	for {
		batch := n.Batch()
		if len(batch) == 0 {
			select {
			case <-ctx.Done():
				return
			case <-n.wake:
			}
			continue
		}
		err := log.Append(ctx, batch)
		if err == nil {
			n.Published()
		}
		if !n.after(ctx, &t, "publish to", err) {
			return
		}
	}
}

func (n *Node) read(ctx context.Context, log Log) {
	var t troubled
	for {
		records, err := log.Read(ctx)
		for _, b := range records {
			n.Receive(b)
		}
		if !n.after(ctx, &t, "read", err) {
			return
		}
	}
}

// troubled is how the log has been of late.
type troubled struct {
	pause time.Duration // 0: well
	told  bool
}

// after waits a while if the log has failed, and says so once. It reports whether to go on.
func (n *Node) after(ctx context.Context, t *troubled, what string, err error) bool {
	switch {
	case ctx.Err() != nil:
		return false
	case err == nil:
		if t.told {
			n.o.Logger.Info("can " + what + " the feed of the gateways again")
		}
		*t = troubled{}
		return true
	}
	if !t.told && t.pause > 0 { // not for one broken connection
		t.told = true
		n.o.Logger.Warn("cannot "+what+" the feed of the gateways", "error", err)
	}
	t.pause = min(max(2*t.pause, firstPause), lastPause)
	select {
	case <-time.After(t.pause):
		return true
	case <-ctx.Done():
		return false
	}
}
