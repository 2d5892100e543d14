package upstream

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// TestCancellation: a client that goes away ends its request at the worker, which isn't blamed for it.
func TestCancellation(t *testing.T) {
	cause := errors.New("the client left")
	for _, test := range []struct {
		name    string
		write   bool
		context func() (context.Context, func())
		want    []error
	}{
		{"read cancelled", false, cancelled100ms(nil), []error{context.Canceled}},
		{"read cancelled with a cause", false, cancelled100ms(cause), []error{context.Canceled, cause}},
		{"read over time", false, deadline100ms, []error{context.DeadlineExceeded}},
		{"write cancelled", true, cancelled100ms(nil), []error{context.Canceled, ErrOutcomeUnknown}},
		{"write over time", true, deadline100ms, []error{context.DeadlineExceeded, ErrOutcomeUnknown}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gone := make(chan struct{}, 1)
				w := newWorker(t, "pipe", func(w http.ResponseWriter, r *http.Request) {
					hang(w, r)
					gone <- struct{}{}
				})
				p := newPool(t, Options{}, w.target("w", Bundled))
				ctx, cancel := test.context()
				defer cancel()
				_, err := p.Do(ctx, &Request{Method: "POST", URI: "/x", Body: []byte("{}"), Write: test.write, WriteID: "id"})
				for _, want := range test.want {
					if !errors.Is(err, want) {
						t.Errorf("got %v, want %v", err, want)
					}
				}
				if !test.write && errors.Is(err, ErrOutcomeUnknown) {
					t.Errorf("a read has no unknown outcome: %v", err)
				}
				select {
				case <-gone:
				case <-time.After(5 * time.Second):
					t.Error("the worker goes on")
				}
				if s := p.Status()[0]; s.Failures != 0 || s.InFlight != 0 || s.LatencyMS != 0 || w.requests.Load() != 1 {
					t.Errorf("the worker is blamed: %+v", s)
				}
			})
		})
	}
	t.Run("while waiting for a worker", func(t *testing.T) {
		p := newPool(t, Options{})
		ctx, cancel := deadline100ms()
		defer cancel()
		if _, err := p.Do(ctx, &Request{Method: "GET", URI: "/x", Write: true}); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("got %v", err)
		}
	})
}

func cancelled100ms(cause error) func() (context.Context, func()) {
	return func() (context.Context, func()) {
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(100*time.Millisecond, func() { cancel(cause) })
		return ctx, func() { cancel(nil) }
	}
}

func deadline100ms() (context.Context, func()) {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	return ctx, cancel
}

// What is wrong with the request itself isn't the workers' fault and isn't repeated.
func TestUnsendable(t *testing.T) {
	w := newWorker(t, "tcp", answer(""))
	p := newPool(t, Options{}, w.target("w", Remote))
	for _, r := range []Request{
		{Method: "GET", URI: "x"},
		{Method: "GET", URI: "http://elsewhere/x"},
		{Method: "GET", URI: "/a b"},
		{Method: "GET", URI: "/a\r\nX: y"},
		{Method: "GET", URI: "/%zz"},
		{Method: "G T", URI: "/x"},
		{Method: "GET", URI: "/x", Header: http.Header{"A": {"b\r\nc: d"}}},
		{Method: "GET", URI: "/x", Header: http.Header{"A b": {"c"}}},
	} {
		if _, err := p.Do(context.Background(), &r); !errors.Is(err, ErrUnsendable) {
			t.Errorf("%+v: got %v, want ErrUnsendable", r, err)
		}
	}
	if s := p.Status()[0]; s.Failures != 0 || w.requests.Load() != 0 {
		t.Errorf("%+v", s)
	}
}
