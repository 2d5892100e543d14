package handover

import (
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// TestHeir gives an idle connection, and one whose request has begun, to a server that isn't at the same desk, as one in
// another process.
func TestHeir(t *testing.T) {
	a := newAddress(t)
	old := a.serve(says("old"))
	idle, idleReader := a.dial()
	begun, begunReader := a.dial()
	for _, get := range []string{
		ask(t, idle, idleReader, post), ask(t, begun, begunReader, post),
	} {
		if get != "old POST body" {
			t.Fatalf("got %q", get)
		}
	}
	if _, err := io.WriteString(begun, post[:20]); err != nil {
		t.Fatal(err)
	}
	other := NewDesk()
	next := &http.Server{Handler: says("new"), ConnState: new(Staying).Tell}
	l := other.Listen(a.below.open())
	go next.Serve(l)
	t.Cleanup(func() { next.Close() })
	a.desk.SetHeir(func(address string, c net.Conn, unread []byte) bool {
		other.Take(address, c, unread)
		return true
	})
	shutdown(t, old)
	if got := ask(t, idle, idleReader, post); got != "new POST body" {
		t.Errorf("the idle connection: %q", got)
	}
	if _, err := io.WriteString(begun, post[20:]); err != nil {
		t.Fatal(err)
	}
	if got := readAnswer(t, begunReader); got != "new POST body" {
		t.Errorf("the connection with half a request: %q", got)
	}
}

// TestNoHeir closes what nobody takes: at a desk that doesn't know the address, and with an heir that can't.
func TestNoHeir(t *testing.T) {
	a := newAddress(t)
	old := a.serve(says("old"))
	c, r := a.dial()
	ask(t, c, r, get)
	var refused atomic.Bool
	a.desk.SetHeir(func(string, net.Conn, []byte) bool { refused.Store(true); return false })
	shutdown(t, old)
	if _, err := r.ReadByte(); err != io.EOF || !refused.Load() {
		t.Errorf("the connection isn't closed: %v, %v", err, refused.Load())
	}
	ours, theirs := net.Pipe()
	NewDesk().Take("nowhere", ours, nil)
	_ = theirs.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := theirs.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("nobody has the address, and the connection isn't closed: %v", err)
	}
}

// TestToldTwice: a server that is asked twice to tell its connections' states, and one whose listener is wrapped twice, are as others.
func TestToldTwice(t *testing.T) {
	a := newAddress(t)
	serve := func(h http.HandlerFunc) *http.Server {
		var staying Staying
		s := &http.Server{Handler: h, ConnState: func(c net.Conn, state http.ConnState) {
			staying.Tell(c, state)
			staying.Tell(c, state)
		}}
		l := a.desk.Listen(a.below.open())
		if a.desk.Listen(l) != l {
			t.Error("the listener is wrapped twice")
		}
		go s.Serve(l)
		t.Cleanup(func() { s.Close() })
		return s
	}
	entered, release := make(chan struct{}), make(chan struct{})
	old := serve(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		close(entered)
		<-release
		_, _ = io.WriteString(w, "old")
	})
	c, r := a.dial()
	if _, err := io.WriteString(c, post); err != nil {
		t.Fatal(err)
	}
	<-entered
	if _, err := io.WriteString(c, post[:1]); err != nil { // which is read while the handler works
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // if it is read later, that is right as well
	close(release)
	if got := readAnswer(t, r); got != "old" {
		t.Fatalf("got %q", got)
	}
	serve(says("new"))
	shutdown(t, old)
	if got := ask(t, c, r, post[1:]); got != "new POST body" {
		t.Errorf("got %q", got)
	}
}
