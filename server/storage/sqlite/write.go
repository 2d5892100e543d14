package sqlite

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"

	"github.com/parsescale/parsescale/server/storage"
)

// write is a write on its way through the queue.
type write struct {
	ctx context.Context
	id  string
	f   func(storage.Tx) ([]byte, error)

	// begun decides, once, between the writer that takes the write up and the caller that gives up waiting.
	begun    atomic.Bool
	result   []byte
	repeated bool
	err      error
	done     chan struct{}
}

// Write implements storage.Store.
func (s *Store) Write(ctx context.Context, id string, f func(storage.Tx) ([]byte, error)) ([]byte, bool, error) {
	if err := s.gate.Enter(); err != nil {
		return nil, false, err
	}
	defer s.gate.Leave()
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	w := &write{ctx: ctx, id: id, f: f, done: make(chan struct{})}
	select {
	case s.queue <- w:
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		if w.begun.CompareAndSwap(false, true) {
			return nil, false, ctx.Err()
		}
		<-w.done
	}
	return w.result, w.repeated, w.err
}

// take claims the write for the writer; false: its caller has given up.
func (w *write) take() bool { return w.begun.CompareAndSwap(false, true) }

// answer lets the caller go on.
func (w *write) answer(err error) {
	if err != nil {
		w.result, w.repeated, w.err = nil, false, err
	}
	close(w.done)
}

// panicError is what a write answers whose function panicked.
type panicError struct {
	value any
	// Stack is where, for a log; it isn't part of the message.
	Stack []byte
}

func (e *panicError) Error() string {
	return fmt.Sprintf("cannot finish the write: it panicked: %v", e.value)
}

// call runs the function of the write; a panic becomes an error.
func (w *write) call(t *tx) (result []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, Stack: debug.Stack()}
		}
	}()
	return w.f(t)
}
