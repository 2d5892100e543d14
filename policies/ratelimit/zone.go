package ratelimit

import (
	"fmt"
	"slices"

	"github.com/parsescale/parsescale/policies/request"
)

// Group is a set of operations, of some of which it has only the reads or only the writes.
type Group map[request.Op]kinds

// kinds are kinds of requests for one operation.
type kinds uint8

const (
	reads kinds = 1 << iota
	writes
	both = reads | writes
)

// groups are sets of operations by the names that configurations use. Each operation's own name is one, too.
var groups = map[string]Group{
	"read": {request.Find: both, request.Get: both, request.Me: both, request.Config: reads, request.Schema: reads, request.ServerInfo: both},
	"write": {
		request.Create: both, request.Update: both, request.Delete: both, request.Purge: both, request.Config: writes, request.Schema: writes,
	},
	"login":     {request.LogIn: both, request.SignUp: both, request.Account: both},
	"function":  {request.Function: both, request.Job: both},
	"aggregate": {request.Aggregate: both},
	"push":      {request.Push: both},
	"files":     {request.FileUpload: both, request.FileRead: both, request.FileDelete: both},
}

// Add adds what a name stands for to a group.
func (g Group) Add(name string) error {
	if list, ok := groups[name]; ok {
		for op, k := range list {
			g[op] |= k
		}
		return nil
	}
	op, ok := request.ParseOp(name)
	if !ok || op == request.Other || op == request.Batch {
		return fmt.Errorf("%q is no operation; there are read, write, login, function, aggregate, push, files, and single ones such as create", name)
	}
	g[op] |= both
	return nil
}

// Has reports whether an operation is in the group: one that writes, or one that doesn't.
func (g Group) Has(op request.Op, write bool) bool {
	if write {
		return g[op]&writes != 0
	}
	return g[op]&reads != 0
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
	return (len(z.Ops) == 0 || z.Ops.Has(p.Op, p.Write)) &&
		(len(z.Classes) == 0 || slices.Contains(z.Classes, p.Class)) &&
		(len(z.Names) == 0 || slices.Contains(z.Names, p.Name))
}
