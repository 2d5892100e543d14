package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/policies/cache"
	"github.com/parsescale/parsescale/policies/request"
)

// TestWriteThroughAnUncachedHandler checks that a write counts whichever of an app's handlers it comes through.
func TestWriteThroughAnUncachedHandler(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, fmt.Sprintf("{\n\tadmin off\n\tparse {\n\t\tapp one {\n\t\t\tupstreams %s\n\t\t}\n\t}\n}\n:9 {\n\tparse /parse/* {\n\t\tcache {\n\t\t\tttl 5s\n\t\t}\n\t}\n\tparse /plain/*\n}", w.addr()))
	s.run(t, w, []step{
		{method: "GET", path: "/parse/classes/A", cache: "stored", calls: 1},
		{method: "GET", path: "/parse/classes/A", cache: "hit"},
		{method: "POST", path: "/plain/classes/A", body: "{}", status: 201, cache: "fwd=method", calls: 1},
		{method: "GET", path: "/parse/classes/A", cache: "stored", calls: 1},
	})
}

// slowClient takes its answer only when it is let.
type slowClient struct {
	*httptest.ResponseRecorder
	begun, let chan struct{}
}

func (c *slowClient) Write(p []byte) (int, error) {
	close(c.begun)
	<-c.let
	return c.ResponseRecorder.Write(p)
}

// TestSlowClientHoldsNobodyUp checks that who asks the same doesn't wait for a client that is slow to take an answer
// that can't be stored.
func TestSlowClientHoldsNobodyUp(t *testing.T) {
	w := newRecordingWorker(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"results":[{"objectId":"o1","s":"`+strings.Repeat("x", 2048)+`"}]}`)
	})
	s := newSite(t, remoteSite(w, "cache {\nmax_object 1KB\n}"))
	ask := func(w http.ResponseWriter) {
		r := httptest.NewRequest("GET", "/parse/classes/A", http.NoBody)
		r.Header.Set("X-Parse-Application-Id", "app")
		s.server.ServeHTTP(w, r)
	}
	slow := &slowClient{httptest.NewRecorder(), make(chan struct{}), make(chan struct{})}
	first, second := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(first)
		ask(slow)
	}()
	<-slow.begun
	go func() {
		defer close(second)
		ask(httptest.NewRecorder())
	}()
	select {
	case <-second:
	case <-time.After(20 * time.Second):
		t.Error("it waits for the slow client")
	}
	close(slow.let)
	<-first
	<-second
}

// TestPanicWhileForwarding checks that a write whose forwarding panics doesn't stay open.
func TestPanicWhileForwarding(t *testing.T) {
	c := cache.New(cache.Options{})
	x := exchange{route: &route{gateway: &gateway{cache: c}}, req: request.Request{Write: true, Classes: []string{"A"}}}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("it didn't panic, so nothing was tested")
			}
		}()
		x.forwardWrite() // there is no request to forward
	}()
	if n := c.Stats().OpenPrepares; n != 0 {
		t.Errorf("%d changes stay open", n)
	}
}
