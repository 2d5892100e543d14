package trickle

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestCutOffUpload: the wait for a client that sends nothing ends, and the client is told.
func TestCutOffUpload(t *testing.T) {
	clock := time.Now()
	bodies := Among(func() time.Time { return clock })
	entered := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		in := New(q.Body, http.NewResponseController(w))
		bodies.Add(in)
		defer bodies.Remove(in)
		close(entered)
		if _, err := io.Copy(io.Discard, in); errors.Is(err, ErrTooSlow) {
			w.WriteHeader(http.StatusRequestTimeout)
		}
	}))
	defer s.Close()
	body, silent := io.Pipe()
	defer silent.Close()
	status := make(chan int, 1)
	go func() {
		res, err := http.Post(s.URL, "text/plain", body)
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		res.Body.Close()
		status <- res.StatusCode
	}()
	<-entered
	bodies.CutSlowest()
	if len(status) != 0 {
		t.Error("it had no time")
	}
	clock = clock.Add(Grace)
	bodies.CutSlowest()
	select {
	case got := <-status:
		if got != http.StatusRequestTimeout {
			t.Errorf("status %d", got)
		}
	case <-time.After(10 * time.Second):
		t.Error("it still waits")
	}
}
