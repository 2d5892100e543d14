package handover

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"
)

// maxUnread bounds what is kept of a request that no handler has seen yet: as much as net/http reads at once for a head of
// the usual size, and then some. A connection with more on its way is not handed over.
const maxUnread = 64 << 10

// conn is a connection as one server sees it. When that server lets go of it between two requests, another server takes
// over what is below.
type conn struct {
	net.Conn
	listener *listener

	mu sync.Mutex
	// state is what net/http said last; stateUnknown where nobody says.
	state http.ConnState
	// given is true once another server has the connection, or is about to: for this one it is over.
	given bool
	// reading is true while the server waits in Read.
	reading bool
	// broken is true once reading between requests failed: the client is gone, or was idle for too long.
	broken bool
	// stays is true for a connection that is never handed over: the client was seen to send a request together with the
	// one before, or speaks HTTP/2. What lies in the server's buffer can't be taken from there.
	stays bool
	// want is how long the request is that is being handled, and got how much was read since it began; want is -1 if that
	// isn't known.
	want, got int
	// clean is true if, when the server became idle, all that it had read was the request that it had answered.
	clean bool
	// unread is what the server has read of a request that no handler has seen.
	unread []byte
	// ahead is what came while a handler worked: net/http then reads one byte, to see whether the client leaves. A client
	// that has its answer and asks again at once is quicker than the end of that watch.
	ahead []byte
	// overflow is true if unread would be longer than it may be.
	overflow bool
	// replay is what a server before this one has read, and this one hasn't.
	replay []byte
}

const stateUnknown http.ConnState = -1

// http2Preface is how a client begins that speaks HTTP/2 without TLS. Such a connection has a state of its own.
var http2Preface = []byte("PRI ")

func (c *conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	if c.given {
		c.mu.Unlock()
		return 0, io.EOF
	}
	if len(c.replay) > 0 {
		n := copy(p, c.replay)
		c.replay = c.replay[n:]
		c.noteRead(p, n)
		c.mu.Unlock()
		return n, nil
	}
	if c.state == http.StateActive {
		c.forget() // a handler runs: it reads the body, or net/http watches for the client to leave
	}
	c.reading = true
	c.mu.Unlock()

	n, err := c.Conn.Read(p)

	c.mu.Lock()
	c.reading = false
	c.noteRead(p, n)
	if !c.given {
		c.broken = c.broken || err != nil
		c.mu.Unlock()
		return n, err
	}
	// Closed while it waited. It was woken only to leave; what came in the same moment goes along.
	c.mu.Unlock()
	c.leave()
	return 0, io.EOF
}

// noteRead keeps what was read between two requests; c.mu is held.
func (c *conn) noteRead(p []byte, n int) {
	switch {
	case n == 0:
	case c.state == http.StateIdle || c.state == http.StateNew:
		if len(c.unread)+n > maxUnread {
			c.overflow = true
			return
		}
		if c.unread == nil {
			c.unread = *spare.Get().(*[]byte)
		}
		c.unread = append(c.unread, p[:n]...)
	case c.state == http.StateActive && len(p) == 1:
		c.ahead = append(c.ahead, p[:n]...)
	case c.state == http.StateActive:
		c.got += n
	}
}

// forget drops what was kept of a request, because it is being handled; c.mu is held.
func (c *conn) forget() {
	if c.unread != nil {
		unread := c.unread[:0]
		spare.Put(&unread)
	}
	c.unread, c.overflow = nil, false
}

// spare holds buffers for what is unread, so that neither does every request make one nor every idle connection keep one.
var spare = sync.Pool{New: func() any { return new(make([]byte, 0, 1<<10)) }}

func (c *conn) Write(p []byte) (int, error) {
	if !c.mayWrite() {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

// ReadFrom lets the kernel copy files, where the connection below can.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	if !c.mayWrite() {
		return 0, net.ErrClosed
	}
	return io.Copy(c.Conn, r)
}

func (c *conn) mayWrite() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.given {
		c.forget()
	}
	return !c.given
}

// CloseWrite ends the sending half, where the connection below can.
func (c *conn) CloseWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && !c.given {
		return half.CloseWrite()
	}
	return nil
}

func (c *conn) SetDeadline(t time.Time) error      { return c.setDeadline(c.Conn.SetDeadline, t) }
func (c *conn) SetReadDeadline(t time.Time) error  { return c.setDeadline(c.Conn.SetReadDeadline, t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(c.Conn.SetWriteDeadline, t) }

func (c *conn) setDeadline(set func(time.Time) error, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.given {
		return net.ErrClosed
	}
	return set(t)
}

// Close closes the connection, or, where it may live on, gives it to the server that came after this one.
func (c *conn) Close() error {
	c.mu.Lock()
	if c.given {
		c.mu.Unlock()
		return nil
	}
	if !c.mayLiveOn() || !c.listener.hasSuccessor() {
		c.mu.Unlock()
		return c.Conn.Close()
	}
	c.given = true
	reading := c.reading
	if reading {
		_ = c.Conn.SetReadDeadline(time.Unix(1, 0)) // wakes Read, which does the rest
	}
	c.mu.Unlock()
	if !reading {
		c.leave()
	}
	return nil
}

// mayLiveOn reports whether nothing is lost, and nothing done twice, if another server goes on from here; c.mu is held.
func (c *conn) mayLiveOn() bool {
	if c.state == http.StateActive && calledBy("net/http.(*Server).closeIdleConns") {
		// A server takes a connection for idle a moment before it says so: the answer is written.
		c.settle()
		c.state = http.StateIdle
	}
	if c.broken || c.stays || c.overflow {
		return false
	}
	switch c.state {
	case http.StateIdle:
		return c.clean
	case http.StateNew:
		return !bytes.HasPrefix(c.unread, http2Preface)
	case http.StateActive:
		// A server that shuts down drops a request that it has read at that moment, without a word. A handler that ran would
		// have read or written since, or it gave up by panicking.
		return len(c.unread) > 0 && !calledBy("runtime.gopanic")
	}
	return false
}

// calledBy reports whether the caller runs because of a function.
func calledBy(function string) bool {
	var callers [64]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers[:])])
	for {
		frame, more := frames.Next()
		if frame.Function == function {
			return true
		}
		if !more {
			return false
		}
	}
}

// leave gives what is below to the next server; c.given is set, and nobody reads.
func (c *conn) leave() {
	c.mu.Lock()
	unread := append(c.unread, c.replay...)
	c.unread, c.replay = nil, nil
	c.mu.Unlock()
	if err := c.Conn.SetDeadline(time.Time{}); err != nil {
		_ = c.Conn.Close()
		return
	}
	c.listener.pass(c.Conn, unread)
}

// become is told every new state of the connection.
func (c *conn) become(state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.given || c.state == state { // a server may be asked twice to tell
		return
	}
	if c.state == http.StateNew && bytes.HasPrefix(c.unread, http2Preface) {
		c.stays = true
	}
	switch state {
	case http.StateIdle:
		c.settle()
	case http.StateActive:
		c.want, c.got = requestLength(c.unread), len(c.unread)
		c.stays = c.stays || c.got == 0 // it was read together with the one before
	}
	c.state = state
}

// settle is done when a request was answered; c.mu is held.
func (c *conn) settle() {
	c.forget()
	c.unread, c.ahead = c.ahead, nil
	c.broken = false // net/http ends its watch by a time-out
	c.clean, c.stays = c.got == c.want, c.stays || c.want >= 0 && c.got > c.want
}
