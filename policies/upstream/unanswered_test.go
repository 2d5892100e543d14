package upstream

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// TestUnanswered: a proxy's word that it got no answer leaves open what became of a write; its refusal doesn't.
func TestUnanswered(t *testing.T) {
	for _, test := range []struct {
		status int
		write  bool
		want   error
		asked  int64
	}{
		{502, true, ErrOutcomeUnknown, 1},
		{504, true, ErrOutcomeUnknown, 1},
		{503, true, nil, 1},
		{502, false, nil, 4},
		{504, false, nil, 4},
	} {
		w := newWorker(t, "tcp", status(test.status))
		p := newPool(t, Options{}, w.target("w", Remote))
		res, err := p.Do(t.Context(), &Request{Method: "POST", URI: "/x", Write: test.write, Body: []byte("{}")})
		if !errors.Is(err, test.want) || err == nil && res.Status != test.status {
			t.Errorf("%+v: got %+v, %v", test, res, err)
		}
		if n := w.requests.Load(); n != test.asked {
			t.Errorf("%+v: asked %d times", test, n)
		}
	}
}

// TestAnswerInVain: an answer that isn't handed on, because there is a better one, or none is certain, is closed.
func TestAnswerInVain(t *testing.T) {
	for _, test := range []struct {
		name   string
		status []int
		write  bool
	}{
		{"a better one", []int{503, 200}, false},
		{"another bad one", []int{503, 503, 503, 503}, false},
		{"an uncertain one", []int{502}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			i := 0
			w := newWorker(t, "tcp", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(test.status[i]); i++ })
			p := newPool(t, Options{}, w.target("w", Remote))
			res, err := p.Do(t.Context(), &Request{Method: "POST", URI: "/x", Write: test.write, Unbuffered: true})
			if test.write != (err != nil) {
				t.Fatal(res, err)
			}
			if err == nil {
				res.Stream.Close()
			}
			if s := p.Status()[0]; s.InFlight != 0 || s.Requests != uint64(len(test.status)) {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestSlowDial: that a connection takes too long isn't the end of the caller's context.
func TestSlowDial(t *testing.T) {
	for _, test := range []struct {
		name string
		o    Options
		dial func(context.Context) error
	}{
		{"for the dialler", Options{}, func(context.Context) error { return &net.OpError{Op: "dial", Err: context.DeadlineExceeded} }},
		{"for the system", Options{}, func(context.Context) error { return &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded} }},
		{"for an answer", Options{AnswerTimeout: time.Second}, func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(20 * time.Second):
				return errors.New("no answer")
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPool(t, test.o, Target{Address: "127.0.0.1:1", Dial: func(ctx context.Context) (net.Conn, error) { return nil, test.dial(ctx) }})
				defer p.Close()
				_, err := p.Do(context.Background(), &Request{Method: "GET", URI: "/x"})
				if !errors.Is(err, ErrNoWorker) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want ErrNoWorker alone", err)
				}
			})
		})
	}
}
