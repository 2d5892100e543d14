package ratelimit

import (
	"fmt"
	"slices"

	"github.com/parsescale/parsescale/policies/request"
)

// Group is a set of operations.
type Group map[request.Op]bool

// groups are sets of operations by the names that configurations use. Each operation's own name is one, too.
var groups = map[string][]request.Op{
	"read":      {request.Find, request.Get, request.Me, request.Config, request.Schema, request.ServerInfo},
	"write":     {request.Create, request.Update, request.Delete, request.Purge},
	"login":     {request.LogIn, request.SignUp, request.Account},
	"function":  {request.Function, request.Job},
	"aggregate": {request.Aggregate},
	"push":      {request.Push},
	"files":     {request.FileUpload, request.FileRead, request.FileDelete},
}

// Add adds what a name stands for to a group.
func (g Group) Add(name string) error {
	if list, ok := groups[name]; ok {
		for _, op := range list {
			g[op] = true
		}
		return nil
	}
	op, ok := request.ParseOp(name)
	if !ok || op == request.Other || op == request.Batch {
		return fmt.Errorf("%q is no operation; there are read, write, login, function, aggregate, push, files, and single ones such as create", name)
	}
	g[op] = true
	return nil
}

// Zone is a rate for some of the requests.
type Zone struct {
	// Name is shown in metrics.
	Name string
	// Key says whose requests are counted together.
	Key Key
	// Limiter holds the rate, and the state of the keys.
	Limiter *Limiter
	// Ops, Classes and Names (of functions and jobs) bound what is charged; empty: everything. What isn't known, such as a
	// sub-request of a batch that can't be read, is charged wherever it could be meant.
	Ops            Group
	Classes, Names []string
	// DryRun lets pass what the zone would refuse, and counts it.
	DryRun bool
}

// cost is what the request costs in the zone; 0: it isn't its business.
func (z *Zone) cost(r *request.Request) (cost int64) {
	r.EachPart(func(p request.Part) {
		if z.charges(p) {
			cost += int64(p.Count)
		}
	})
	return cost
}

func (z *Zone) charges(p request.Part) bool {
	if p.Op == request.Other {
		return true
	}
	return (len(z.Ops) == 0 || z.Ops[p.Op]) &&
		(len(z.Classes) == 0 || slices.Contains(z.Classes, p.Class)) &&
		(len(z.Names) == 0 || slices.Contains(z.Names, p.Name))
}

// Zones are rates that hold together: a request is charged to each that it concerns, or to none.
type Zones []*Zone

// Charged is what came of a request, and what it was charged.
type Charged struct {
	Decision
	// Zone decided: it refused, or it has the least left. Nil: the request concerns no zone.
	Zone  *Zone
	taken []taken
}

type taken struct {
	limiter *Limiter
	key     string
	cost    int64
}

// by reports whether a zone counts by the key.
func (zs Zones) by(k Key) bool {
	for _, z := range zs {
		if z.Key == k {
			return true
		}
	}
	return false
}

// Take charges a request, if every zone that it concerns lets it pass. What a zone refuses that is run dry passes.
func (zs Zones) Take(c Client, r *request.Request) Charged {
	out := Charged{Decision: Decision{OK: true}}
	for _, z := range zs {
		cost := z.cost(r)
		if cost == 0 {
			continue
		}
		key := z.key(c)
		d := z.Limiter.Take(key, cost)
		if !d.OK {
			z.Limiter.refused.Add(1)
			if z.DryRun {
				continue
			}
			out.GiveBack(1)
			return Charged{Decision: d, Zone: z}
		}
		out.taken = append(out.taken, taken{z.Limiter, key, cost})
		if out.Zone == nil || d.Remaining < out.Remaining {
			out.Decision, out.Zone = d, z
		}
	}
	return out
}

// Move charges what was charged so far to another client instead, who turned out to be the one who asked. Where that one has
// used up its rate, the charge stays where it is.
func (zs Zones) Move(charged Charged, to Client, r *request.Request) Charged {
	charged.GiveBack(1)
	if moved := zs.Take(to, r); moved.OK {
		return moved
	}
	for _, t := range charged.taken {
		t.limiter.Take(t.key, t.cost)
	}
	return charged
}

// GiveBack returns a share of what was charged, between 0 and 1: an answer from the cache costs less than one from a worker.
func (c *Charged) GiveBack(share float64) {
	for _, t := range c.taken {
		t.limiter.Refund(t.key, t.cost, share)
	}
}
