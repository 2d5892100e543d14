package upstream

import (
	"context"
	"errors"
	"fmt"
)

var (
	// ErrNoWorker: no worker could be asked, or every one that was asked failed before the request had any effect.
	// It is safe to repeat the request later.
	ErrNoWorker = errors.New("no worker is available")
	// ErrOutcomeUnknown: a write was sent and its worker died or fell silent before it answered. The write may have
	// happened or not; only the client can decide what to do.
	ErrOutcomeUnknown = errors.New("the outcome of the write is unknown")
	// ErrClosed: the pool was closed.
	ErrClosed = errors.New("the pool is closed")
	// ErrUnknownWorker: no worker of the pool has this name.
	ErrUnknownWorker = errors.New("no such worker")
	// ErrUnsendable: the request itself can't be sent to any worker (a bad URI, method or header).
	ErrUnsendable = errors.New("the request cannot be forwarded")
	// ErrUnread: the client's stream ended before its end, so no worker has got the whole request.
	ErrUnread = errors.New("the body of the request could not be read")
)

// errSilent is the cause of an attempt that was ended because nothing moved on its connection for too long.
var errSilent = errors.New("the worker did not answer in time")

// errUnanswered is the cause of an attempt that was answered with a 502 or 504.
var errUnanswered = errors.New("something before the worker got no answer from it")

// errLate is the cause of an attempt that took longer than one may, while another worker could be asked.
var errLate = errors.New("the worker did not answer in the time of an attempt")

// errOutrun is the cause of an attempt that was ended because another worker had answered.
var errOutrun = errors.New("another worker answered first")

// errOverdue is why a request ends at its deadline.
var errOverdue = &callError{kind: context.DeadlineExceeded, cause: errors.New("the time for the request is over")}

// errFaulty is the cause of an attempt that was answered with a 500 that isn't Parse's.
var errFaulty = errors.New("the worker answered 500 with something that is no Parse error")

// callError joins one of the errors above with what led to it.
type callError struct {
	kind  error
	cause error
}

func (e *callError) Error() string { return fmt.Sprintf("%v: %v", e.kind, e.cause) }

func (e *callError) Unwrap() []error { return []error{e.kind, e.cause} }

// ended is why ctx is over: its cause, which is always recognised as context.Canceled or context.DeadlineExceeded.
func ended(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, ctx.Err()) {
		return cause
	}
	return because(ctx.Err(), cause)
}

// because returns kind with its cause, or kind itself if there is none.
func because(kind, cause error) error {
	if cause == nil || errors.Is(cause, kind) {
		return kind
	}
	return &callError{kind: kind, cause: cause}
}
