package ratelimit

import "github.com/parsescale/parsescale/policies/request"

// Zones are rates that hold together: a request is charged to each that it concerns, or to none.
type Zones []*Zone

// by reports whether a zone counts by the key.
func (zs Zones) by(k Key) bool {
	for _, z := range zs {
		if z.Key == k {
			return true
		}
	}
	return false
}

// Charged is what came of a request, and what it was charged.
type Charged struct {
	Decision
	// Zone decided: it refused, or it has the least left. Nil: the request concerns no zone, or nobody counts.
	Zone    *Zone
	charges []charge
	by      counter // nil if nothing was charged
}

// charge is what a request costs for one key.
type charge struct {
	zone *Zone
	key  string
	cost int64
	// state is the key's, once it was needed.
	state *cell
}

// cell is the state of the charge's key.
func (c *charge) cell() *cell {
	if c.state == nil {
		c.state = c.zone.Limiter.cell(c.key)
	}
	return c.state
}

// counter is where the charges of one request are counted.
type counter interface {
	take(*charge) Decision
	// adjust charges a share of the cost whatever the rate says, or gives it back if it is negative.
	adjust(c *charge, share float64)
}

// local counts in the zones' limiters.
type local struct{}

func (local) take(c *charge) Decision         { return c.zone.Limiter.Take(c.key, c.cost) }
func (local) adjust(c *charge, share float64) { c.zone.Limiter.adjust(c.key, c.cost, share) }

// Take charges a request, if every zone that it concerns lets it pass. What a zone refuses that is run dry passes. With nil for
// the gateways that share the limits, this one has them by itself.
func (zs Zones) Take(with *Shared, c Client, r *request.Request) Charged {
	var charges []charge
	for _, z := range zs {
		if cost := z.cost(r); cost > 0 {
			if charges == nil {
				charges = make([]charge, 0, len(zs))
			}
			charges = append(charges, charge{zone: z, key: z.key(c), cost: cost})
		}
	}
	switch {
	case charges == nil:
		return Charged{Decision: Decision{OK: true}}
	case with == nil:
		return takeEach(local{}, charges)
	}
	return with.take(charges)
}

// takeEach charges one after the other, and gives back what was charged once one is refused.
func takeEach(by counter, charges []charge) Charged {
	out := Charged{Decision: Decision{OK: true}, by: by, charges: charges[:0]}
	for i := range charges {
		c := &charges[i]
		d := by.take(c)
		if !d.OK {
			if c.zone.count(d); c.zone.DryRun {
				continue
			}
			out.GiveBack(1)
			return Charged{Decision: d, Zone: c.zone}
		}
		out.passed(*c, d) // over those that came before, of which nothing is needed any more
	}
	out.allowed()
	return out
}

// passed adds a charge that was made.
func (c *Charged) passed(made charge, d Decision) {
	c.charges = append(c.charges, made)
	if c.Zone == nil || d.Remaining < c.Remaining {
		c.Decision, c.Zone = d, made.zone
	}
}

// allowed counts a request that passes, in all the zones that it was charged to.
func (c *Charged) allowed() {
	for i := range c.charges {
		c.charges[i].zone.count(Decision{OK: true})
	}
}

// count takes note of a decision.
func (z *Zone) count(d Decision) {
	switch {
	case d.OK:
		z.Limiter.allowed.Add(1)
	case z.DryRun:
		z.Limiter.spared.Add(1)
	default:
		z.Limiter.refused.Add(1)
	}
}

// Move charges what was charged so far to another client instead, who turned out to be the one who asked. The request is done,
// so that nobody asks the rate.
func (c *Charged) Move(to Client) {
	for i := range c.charges {
		if ch := &c.charges[i]; ch.key != ch.zone.key(to) {
			c.by.adjust(ch, -1)
			ch.key, ch.state = ch.zone.key(to), nil
			c.by.adjust(ch, 1)
		}
	}
}

// GiveBack returns a share of what was charged, between 0 and 1: an answer from the cache costs less than one from a worker.
func (c *Charged) GiveBack(share float64) {
	for i := range c.charges {
		c.by.adjust(&c.charges[i], -share)
	}
}
