// Package websockets knows the WebSockets that pass through the gateway, so that they can be ended in an orderly way: with
// the status 1001, going away, between two messages, and not all in the same moment, since all of their clients come back.
//
// It must not know what is said on them, nor who their clients are.
package websockets

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"time"
)

// linger is how long a client may take to agree to the end.
const linger = 2 * time.Second

// goingAway is a close frame with the status 1001.
var goingAway = []byte{0x80 | opClose, 2, 1001 >> 8, 1001 & 0xff}

// Set is the WebSockets of one app. The zero value is empty.
type Set struct {
	mu      sync.Mutex
	all     map[*conn]struct{}
	leaving bool
}

// Writer returns a response writer whose connection, once a handler takes it over, belongs to the set.
func (s *Set) Writer(w http.ResponseWriter) http.ResponseWriter { return &writer{w, s} }

// Count is how many there are.
func (s *Set) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// Close ends them, evenly spread over a time, and returns when all have ended. Those that come later are ended at once.
func (s *Set) Close(over time.Duration) {
	s.mu.Lock()
	s.leaving = true
	var all []*conn
	for c := range s.all {
		all = append(all, c)
	}
	s.mu.Unlock()
	var running sync.WaitGroup
	begin := time.Now()
	for i, c := range all {
		running.Go(func() {
			if !c.openUntil(begin.Add(over * time.Duration(i) / time.Duration(len(all)))) {
				return
			}
			go c.leave() // a client that reads nothing keeps it waiting
			if c.openUntil(time.Now().Add(linger)) {
				_ = c.Close()
			}
		})
	}
	running.Wait()
}

func (s *Set) add(below net.Conn) *conn {
	c := &conn{Conn: below, set: s, closed: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[*conn]struct{}{}
	}
	s.all[c] = struct{}{}
	if s.leaving {
		go c.leave()
	}
	return c
}

// writer hands a connection over to the set when it is taken over.
type writer struct {
	http.ResponseWriter
	set *Set
}

// Unwrap lets http.ResponseController reach what is below.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hijack implements http.Hijacker.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	below, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return w.set.add(below), buffered, nil
}

// conn is the connection with one client. What the worker says to the client is written to it.
type conn struct {
	net.Conn
	set    *Set
	once   sync.Once
	closed chan struct{}

	mu      sync.Mutex
	said    frames
	leaving bool // the worker's current frame is its last
}

// Write sends frames to the client. After a close frame nothing may follow; what comes then is dropped.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for done := 0; done < len(p); {
		if c.said.closed || c.leaving && c.said.between() {
			return len(p), c.sayGoingAway()
		}
		end := done
		for end < len(p) && !c.said.closed && (end == done || !c.leaving) {
			end += c.said.next(p[end:])
		}
		n, err := c.Conn.Write(p[done:end])
		if done += n; err != nil {
			return done, err
		}
	}
	if c.leaving && c.said.between() {
		return len(p), c.sayGoingAway()
	}
	return len(p), nil
}

// leave ends the WebSocket as soon as no message is under way.
func (c *conn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leaving = true
	if c.said.between() {
		_ = c.sayGoingAway()
	}
}

// sayGoingAway sends the close frame, once; mu is held.
func (c *conn) sayGoingAway() error {
	if c.said.closed {
		return nil
	}
	c.said.closed = true
	_ = c.Conn.SetWriteDeadline(time.Now().Add(linger))
	_, err := c.Conn.Write(goingAway)
	return err
}

// openUntil waits, and reports whether the connection is still open then.
func (c *conn) openUntil(t time.Time) bool {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-c.closed:
		return false
	case <-timer.C:
		return true
	}
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.once.Do(func() {
		c.set.mu.Lock()
		delete(c.set.all, c)
		c.set.mu.Unlock()
		close(c.closed)
	})
	return c.Conn.Close()
}
