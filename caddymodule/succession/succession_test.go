//go:build unix

package succession

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain lets this program be a successor, too.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && strings.HasPrefix(os.Args[1], "successor-") {
		os.Exit(beSuccessor(os.Args[1]))
	}
	os.Exit(m.Run())
}

// beSuccessor takes over a listener and answers each connection with its name; connections that are passed on are answered
// with what they came with.
func beSuccessor(name string) int {
	s := NewSockets()
	p, err := Inherit(s)
	if err != nil || p == nil {
		fmt.Fprintln(os.Stderr, "Error: cannot inherit:", err)
		return 1
	}
	l, err := s.Listen(context.Background(), "tcp", "127.0.0.1:0", net.ListenConfig{})
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		return 1
	}
	if name == "successor-ends" {
		fmt.Fprintln(os.Stderr, "first line\nError: that is why\nlast line")
		return 4
	}
	if err := p.Await(); err != nil {
		return 1
	}
	answer := func(c net.Conn, text string) {
		_, _ = io.WriteString(c, text)
		_ = c.Close()
	}
	s.Open()
	p.Serve(Handler{
		Connection: func(address string, c net.Conn, unread []byte) { answer(c, address+" "+string(unread)) },
		Request:    func(about []byte, c net.Conn) { answer(c, "request "+string(about)) },
	})
	fmt.Fprintln(os.Stderr, "this goes past the predecessor")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			answer(c, name)
		}
	}()
	<-p.Gone()
	return 0
}

func start(t *testing.T, s *Sockets, name string) *Successor {
	t.Helper()
	next, err := Start(Options{Command: []string{os.Args[0], name}, Sockets: s})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { next.Kill(); <-next.Ended() })
	return next
}

func await(t *testing.T, what <-chan struct{}, next *Successor) {
	t.Helper()
	select {
	case <-what:
	case <-next.Ended():
		t.Fatalf("it ended: %s", next.Reason())
	case <-time.After(20 * time.Second):
		t.Fatal("it takes too long")
	}
}

func readAll(t *testing.T, c net.Conn) string {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	b, err := io.ReadAll(c)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

// TestSuccession: a client that connects while nobody accepts is served by the new process, and so are a connection and a
// request that are passed on.
func TestSuccession(t *testing.T) {
	s := NewSockets()
	l := listen(t, s, "127.0.0.1:0")
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	idle := dial()
	below, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	next := start(t, s, "successor-one")
	await(t, next.Prepared(), next)
	s.Shut()
	waits := dial()
	if err := next.Go(); err != nil {
		t.Fatal(err)
	}
	await(t, next.Serving(), next)
	if !next.Give("there", below, []byte("unread")) {
		t.Error("cannot give a connection")
	}
	if got := readAll(t, idle); got != "there unread" {
		t.Errorf("the connection that was passed on got %q", got)
	}
	_ = l.Close()
	for _, c := range []net.Conn{waits, dial()} {
		if got := readAll(t, c); got != "successor-one" {
			t.Errorf("got %q", got)
		}
	}
	c, err := next.Connect([]byte("who"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := readAll(t, c); got != "request who" {
		t.Errorf("the request got %q", got)
	}
	piped, _ := net.Pipe()
	if next.Give("there", piped, nil) {
		t.Error("gave what has no descriptor")
	}
}

// TestSuccessorEnds tells why, and the old listener accepts again.
func TestSuccessorEnds(t *testing.T) {
	s := NewSockets()
	l := listen(t, s, "127.0.0.1:0")
	next := start(t, s, "successor-ends")
	<-next.Ended()
	if got := next.Reason(); got != "that is why (exit status 4)" {
		t.Errorf("the reason is %q", got)
	}
	if err := next.Go(); err == nil {
		t.Error("it was told to go on")
	}
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := l.Accept(); err != nil {
		t.Error(err)
	}
}

func TestWhy(t *testing.T) {
	for _, test := range []struct{ printed, want string }{
		{"", ""},
		{"one\n\ntwo\n\n", "two"},
		{"Error: first\nError: second\nthird", "second"},
		{`{"level":"error","msg":"worker ended","error":"why"}` + "\n" + `{"level":"info","msg":"bye"}`, "worker ended: why"},
		{`{"level":"error","msg":"early"}` + "\n" + `{"level":"error","ts":1.5,"msg":"late"}` + "\n", "late"},
		{strings.Repeat("x\n", maxTail) + "Error: the end", "the end"},
	} {
		var w words
		w.add([]byte(test.printed))
		if got := w.last(); got != test.want {
			t.Errorf("%.40q: %q, want %q", test.printed, got, test.want)
		}
	}
}

// TestPredecessorDies: a process that waits for its turn gives up.
func TestPredecessorDies(t *testing.T) {
	s := NewSockets()
	listen(t, s, "127.0.0.1:0")
	next := start(t, s, "successor-waits")
	await(t, next.Prepared(), next)
	_ = next.link.Close() // as if this process were gone
	<-next.Ended()
	if got := next.Reason(); !strings.Contains(got, "exit status 1") {
		t.Errorf("it ended: %s", got)
	}
}

func TestStartFails(t *testing.T) {
	if _, err := Start(Options{Command: []string{"/nowhere/at/all"}, Sockets: NewSockets()}); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("started what isn't there: %v", err)
	}
}
