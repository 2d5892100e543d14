package ratelimit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/parsescale/parsescale/policies/request"
)

// Key says whose requests are counted together.
type Key string

// The keys. Requests that show an application id that isn't known are always counted by address: who invents ids makes no
// keys.
const (
	ByApp     Key = "app"
	ByIP      Key = "ip"
	ByAppIP   Key = "app_ip"
	BySession Key = "session" // by address, without one
	ByAPIKey  Key = "api_key" // of an app
)

var keys = []string{string(ByApp), string(ByIP), string(ByAppIP), string(BySession), string(ByAPIKey)}

// ParseKey reads a key's name.
func ParseKey(name string) (Key, error) {
	if !slices.Contains(keys, name) {
		return "", fmt.Errorf("a key is one of %s, not %q", strings.Join(keys, ", "), name)
	}
	return Key(name), nil
}

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

// Client is who asks.
type Client struct {
	// App is the application id; "" if it isn't known to be one.
	App string
	// IP is the address.
	IP string
}

func (z *Zone) key(c Client, r *request.Request) string {
	address := Address(c.IP)
	if c.App == "" && z.Key != ByIP {
		return "other\x00" + address
	}
	switch z.Key {
	case ByIP:
		return address
	case ByAppIP:
		return c.App + "\x00" + address
	case BySession:
		if r.Session == "" {
			return c.App + "\x00\x00" + address
		}
		return c.App + "\x00" + r.Session
	case ByAPIKey:
		return strings.Join([]string{c.App, r.Keys.Client, r.Keys.JavaScript, r.Keys.Windows, r.Keys.REST}, "\x00")
	}
	return c.App
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

// Take charges a request, if every zone that it concerns lets it pass. What a zone refuses that is run dry passes.
func (zs Zones) Take(c Client, r *request.Request) Charged {
	out := Charged{Decision: Decision{OK: true}}
	for _, z := range zs {
		cost := z.cost(r)
		if cost == 0 {
			continue
		}
		key := z.key(c, r)
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

// GiveBack returns a share of what was charged, between 0 and 1: an answer from the cache costs less than one from a worker.
func (c *Charged) GiveBack(share float64) {
	for _, t := range c.taken {
		t.limiter.Refund(t.key, t.cost, share)
	}
}
