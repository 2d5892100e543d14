package caddymodule

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/parsescale/parsescale/policies/request"
	"github.com/parsescale/parsescale/policies/upstream"
)

// poolTimes are the times of an app's requests, by operation.
type poolTimes struct {
	try, deadline, slow opTimes
}

func (c *PoolConfig) times() (t *poolTimes, err error) {
	t = &poolTimes{}
	if c == nil {
		return t, nil
	}
	reads := []string{"read"}
	if t.try, err = timesOf(c.TryTimeout, reads, isRead, "only a read may be asked again, of another worker"); err != nil {
		return nil, fmt.Errorf("try_timeout: %w", err)
	}
	may := func(op request.Op) bool { return isRead(op) || runsCode(op) }
	if t.deadline, err = timesOf(c.Deadline, reads, may, "a write that is given up may have been done"); err != nil {
		return nil, fmt.Errorf("deadline: %w", err)
	}
	if b := c.Breaker; b != nil && b.SlowShare > 0 {
		calls := b.SlowCall
		if len(calls) == 0 {
			calls = []OpTime{{After: caddy.Duration(defaultSlowCall)}}
		}
		if t.slow, err = timesOf(calls, []string{"read", "write"}, func(request.Op) bool { return true }, ""); err != nil {
			return nil, fmt.Errorf("slow_call: %w", err)
		}
	}
	return t, nil
}

// defaultSlowCall is after what time a call is slow.
const defaultSlowCall = 2 * time.Second

// bound gives a request to the workers its times.
func (x *exchange) bound(out *upstream.Request) {
	t := x.route.times.Load()
	if t == nil {
		return
	}
	out.Slow = t.slow[x.req.Op]
	if x.req.Write && !runsCode(x.req.Op) {
		return // a write is never given up
	}
	out.TryTimeout = t.try[x.req.Op]
	if d := t.deadline[x.req.Op]; d > 0 {
		out.Deadline = x.begun.Add(d)
	}
}
