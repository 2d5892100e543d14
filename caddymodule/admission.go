package caddymodule

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"time"

	"github.com/parsescale/parsescale/policies/admission"
	"github.com/parsescale/parsescale/policies/request"
)

// options are what the policy is told.
func (c AdmissionConfig) options(workers func() int) admission.Options {
	o := admission.Options{
		Initial: c.Initial, Min: c.Min, Max: c.Max, Queue: c.Queue, MaxWait: time.Duration(c.MaxWait), Workers: workers,
	}
	if c.NoQueue {
		o.Queue = -1
	}
	return o
}

// check finds what can't be.
func (c AdmissionConfig) check() error {
	if c.Off && c != (AdmissionConfig{Off: true}) {
		return fmt.Errorf("admission is off and has settings: use one of them")
	}
	_, err := admission.New(c.options(nil))
	return err
}

// admits takes over what a handler says of the admission to its app's workers. All handlers share one limit, so they
// must not disagree.
func (s *settings) admits(c *AdmissionConfig) error {
	switch {
	case c == nil:
		return nil
	case s.admission != nil && *s.admission != *c:
		return fmt.Errorf("two parse directives of one app have different settings of admission; they share its workers, so give it once")
	}
	if err := c.check(); err != nil {
		return err
	}
	s.admission = c
	return nil
}

// applyAdmission brings the limiter to the settings. Requests that are under way leave the one they entered.
func (g *gateway) applyAdmission(s *settings) error {
	var c AdmissionConfig
	if s.admission != nil {
		c = *s.admission
	}
	l := g.admission.Load()
	switch {
	case c.Off:
		g.admission.Store(nil)
		return nil
	case l != nil:
		return l.Configure(c.options(g.pool.Available))
	}
	l, err := admission.New(c.options(g.pool.Available))
	if err == nil {
		g.admission.Store(l)
	}
	return err
}

// learnMasterKey keeps what is needed to know the app's master key when it is shown.
func (g *gateway) learnMasterKey(options map[string]json.RawMessage) {
	var key string
	if json.Unmarshal(options["masterKey"], &key) == nil && key != "" {
		sum := sha256.Sum256([]byte(key))
		g.masterKey.Store(&sum)
	}
}

// showsMasterKey reports whether the request has the app's master key. Of upstreams the gateway doesn't know it.
func (x *exchange) showsMasterKey() bool {
	want := x.route.masterKey.Load()
	if want == nil || x.req.MasterKey == "" {
		return false
	}
	got := sha256.Sum256([]byte(x.req.MasterKey))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// enter waits until the request may be sent to a worker.
func (x *exchange) enter(ctx context.Context) error {
	l := x.route.admission.Load()
	if l == nil {
		return nil
	}
	seat, err := l.Enter(ctx, admission.Request{Priority: x.priority(), Kind: x.kind(), Size: int64(len(x.body))})
	if err == nil && x.streamed {
		err = x.stepAside(&seat)
	}
	x.seat, x.seated = seat, err == nil
	return err
}

// stepAside gives the seat of an upload to others while its client sends it. Where too many do so already, the slowest has to
// go: else clients that send next to nothing would keep all others from uploading.
func (x *exchange) stepAside(seat *admission.Seat) error {
	if err := seat.StepAside(); err != nil {
		x.route.sending.CutSlowest()
		return err
	}
	x.route.sending.Add(x.sending)
	return nil
}

// leave tells that the worker has answered. The body of a large answer may still be under way: how fast it is taken is
// the client's doing.
func (x *exchange) leave() {
	if x.seated {
		x.seated = false
		if x.streamed {
			x.route.sending.Remove(x.sending)
		}
		x.seat.Leave(x.prompt)
	}
}

// priority is how important the request is when not all can be answered.
func (x *exchange) priority() admission.Priority {
	if x.req.Op == request.Health || x.req.MasterKey != "" && x.showsMasterKey() {
		return admission.First
	}
	switch x.req.Op {
	case request.Function, request.Job, request.Aggregate, request.FileUpload, request.FileRead, request.Event, request.Other:
		return admission.Last
	case request.LogIn, request.Preflight:
		return admission.Writes
	}
	if x.streamed {
		return admission.Last
	}
	if x.req.Write || x.req.Privileged { // anybody can show a wrong key, and anybody can send a write
		return admission.Writes
	}
	return admission.Reads
}

// kind groups the requests whose time tells how fast the workers are. Writes wait for each other by design, functions and
// aggregates take what they take.
func (x *exchange) kind() uint8 {
	switch x.req.Op {
	case request.Find, request.Get, request.Me, request.Config:
		if !x.req.Write {
			return uint8(x.req.Op) + 1
		}
	}
	return 0
}
