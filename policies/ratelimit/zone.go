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
