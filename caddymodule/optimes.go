package caddymodule

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/parsescale/parsescale/policies/ratelimit"
	"github.com/parsescale/parsescale/policies/request"
)

// OpTime is a time for some operations.
type OpTime struct {
	// After is the time, above zero.
	After caddy.Duration `json:"after"`
	// Ops are the operations that it is for: read, write, login, function, aggregate, push, files, or single ones such as find.
	// Default: as the setting says.
	Ops []string `json:"ops,omitempty"`
}

// opTimes are times by operation; 0: none.
type opTimes [request.Ops]time.Duration

// timesOf makes a table of a setting. usual is what a time without operations is for, fit what it may be for, and why says why
// no other.
func timesOf(list []OpTime, usual []string, fit func(request.Op) bool, why string) (t opTimes, err error) {
	for _, one := range list {
		if one.After <= 0 {
			return t, errors.New("a time must be above zero, such as 5s")
		}
		ops := one.Ops
		if len(ops) == 0 {
			ops = usual
		}
		group := ratelimit.Group{}
		for _, name := range ops {
			if err := group.Add(name); err != nil {
				return t, err
			}
		}
		for _, op := range slices.Sorted(maps.Keys(group)) { // so that the same mistake always says the same
			if !group.Has(op, false) {
				continue // a time is for all of an operation, and its reads belong to another group
			}
			switch {
			case !fit(op):
				return t, fmt.Errorf("%s has no such time: %s", op, why)
			case t[op] != 0:
				return t, fmt.Errorf("%s has two times", op)
			}
			t[op] = time.Duration(one.After)
		}
	}
	return t, nil
}

// unmarshalOpTime reads `<duration> [<operation>...]`.
func unmarshalOpTime(d *caddyfile.Dispenser, to *[]OpTime) error {
	name, args := d.Val(), d.RemainingArgs()
	if len(args) == 0 {
		return d.ArgErr()
	}
	after, err := caddy.ParseDuration(args[0])
	if err != nil || after <= 0 {
		return d.Errf("%s takes a duration above zero, such as 5s, and operations, not %q", name, args[0])
	}
	one := OpTime{After: caddy.Duration(after)}
	if len(args) > 1 {
		one.Ops = slices.Clone(args[1:])
	}
	*to = append(*to, one)
	return nil
}

// runsCode tells whether an operation is nothing but code of the app: whoever asks for it knows that it takes what it takes.
func runsCode(op request.Op) bool { return op == request.Function || op == request.Job }

// isRead tells whether an operation can be a read that may be asked again.
func isRead(op request.Op) bool {
	switch op {
	case request.Find, request.Get, request.Me, request.Config, request.Schema, request.ServerInfo, request.Aggregate, request.FileRead:
		return true
	}
	return false
}
