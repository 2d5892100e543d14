//go:build !unix

package supervisor

import (
	"context"
	"encoding/json"
	"errors"
)

// Supervisor runs workers as child processes, which isn't possible on this system.
type Supervisor struct{}

var errSystem = errors.New("cannot run bundled workers on this system: they need unix sockets and process groups; " +
	"put the gateway in front of remote workers instead")

// New returns an error that says why there are no bundled workers here.
func New(Options) (*Supervisor, error) { return nil, errSystem }

// Start returns the error of New.
func (*Supervisor) Start(context.Context) error { return errSystem }

// Scale returns the error of New.
func (*Supervisor) Scale(int) error { return errSystem }

// Stop does nothing.
func (*Supervisor) Stop(context.Context) error { return nil }

// Status returns nothing.
func (*Supervisor) Status() []WorkerStatus { return nil }

// WaitReady returns the error of New.
func (*Supervisor) WaitReady(context.Context, int) error { return errSystem }

// Replace fails.
func (*Supervisor) Replace(context.Context, json.RawMessage) error { return errSystem }

// SetLimits does nothing.
func (*Supervisor) SetLimits(Limits) {}

// Recycled returns nothing.
func (*Supervisor) Recycled() Recycled { return Recycled{} }
