package upstream

import (
	"context"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parsescale/parsescale/policies/breaker"
)

// TestLostStream: an answer that breaks off while it is handed on is a failure of its worker, unless the client left before.
func TestLostStream(t *testing.T) {
	const failures = 3
	endless := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			time.Sleep(time.Millisecond)
		}
	}
	drain := func(_ context.CancelFunc, body io.ReadCloser) error {
		_, err := io.Copy(io.Discard, body)
		_ = body.Close()
		return err
	}
	for _, test := range []struct {
		name string
		do   http.HandlerFunc
		read func(leave context.CancelFunc, body io.ReadCloser) error
		fine bool // the stream ends well
		lost bool
	}{
		{name: "cut", do: half, read: drain, lost: true},
		{name: "cut while chunked", do: halfChunked, read: drain, lost: true},
		{name: "stalled", do: halfHang, read: drain, lost: true},
		{name: "whole", do: answer("all"), read: drain, fine: true},
		{name: "the client leaves", do: endless, read: func(leave context.CancelFunc, body io.ReadCloser) error {
			_, _ = io.ReadFull(body, make([]byte, 10))
			leave()
			return drain(nil, body)
		}},
		{name: "the client takes no more", do: endless, fine: true, read: func(_ context.CancelFunc, body io.ReadCloser) error {
			_, err := io.ReadFull(body, make([]byte, 10))
			_ = body.Close()
			return err
		}},
		{name: "the client takes no more while it is waited for", do: halfHang, read: func(_ context.CancelFunc, body io.ReadCloser) error {
			_, _ = io.ReadFull(body, make([]byte, 10))
			closed := make(chan struct{}) // reading ends before closing has
			time.AfterFunc(20*time.Millisecond, func() { _ = body.Close(); close(closed) })
			_, err := io.Copy(io.Discard, body)
			<-closed
			return err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorker(t, "pipe", test.do)
				o := Options{AnswerTimeout: time.Second, Breaker: breaker.Options{Failures: failures, OpenFor: time.Minute}}
				p := newPool(t, o, w.target("w", Remote))
				for range failures {
					ctx, leave := context.WithCancel(t.Context())
					res, err := p.Do(ctx, &Request{Method: "GET", URI: "/x", Unbuffered: true})
					if err != nil {
						t.Fatal(err)
					}
					if err := test.read(leave, res.Stream); (err == nil) != test.fine {
						t.Errorf("the stream ended with %v", err)
					}
					leave()
				}
				s := p.Status()[0]
				if test.lost && (s.Failures != failures || s.Breaker != "open") || !test.lost && (s.Failures != 0 || s.Breaker != "closed") {
					t.Errorf("%d failures, and the breaker is %s", s.Failures, s.Breaker)
				}
				if s.InFlight != 0 {
					t.Errorf("%d are under way", s.InFlight)
				}
			})
		})
	}
}

// TestUnreadWhileAnswered: an answer that breaks off since the client doesn't send the rest of its request is nobody's failure.
func TestUnreadWhileAnswered(t *testing.T) {
	w := newWorker(t, "tcp", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = w.Write(make([]byte, 50))
		w.(http.Flusher).Flush()
		if _, err := io.Copy(w, r.Body); err != nil {
			panic(http.ErrAbortHandler)
		}
	})
	p := newPool(t, Options{}, w.target("w", Remote))
	body, client := io.Pipe()
	res, err := p.Do(t.Context(), &Request{Method: "POST", URI: "/x", Stream: body, StreamLength: -1, Write: true, Unbuffered: true})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadFull(res.Stream, make([]byte, 50))
	_ = client.CloseWithError(io.ErrUnexpectedEOF)
	if _, err := io.Copy(io.Discard, res.Stream); err == nil {
		t.Error("the answer is whole")
	}
	_ = res.Stream.Close()
	if s := p.Status()[0]; s.Failures != 0 {
		t.Errorf("%d failures", s.Failures)
	}
}
