package exchange

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// conn is a connection. One exchange at a time uses it.
type conn struct {
	client    *Client
	raw       net.Conn
	in        *bufio.Reader
	allowed   int    // bytes that may still be read of an answer's header; -1: of its body, any number
	interrupt func() // ends what is being read and written, for good
	ctx       context.Context
	stop      func() bool // keeps ctx from doing that; false: it does or did
	quiet     func() bool // nothing has come, not even the end
	since     time.Time   // unused
}

func newConn(c *Client, raw net.Conn) *conn {
	k := &conn{client: c, raw: raw, quiet: listener(raw)}
	k.in = bufio.NewReader(k)
	k.interrupt = func() { _ = raw.SetDeadline(time.Unix(1, 0)) }
	return k
}

// Read fills the buffer in front of the connection.
func (k *conn) Read(p []byte) (int, error) {
	if k.allowed < 0 {
		return k.raw.Read(p)
	}
	if k.allowed == 0 {
		return 0, ErrHeaderTooLarge
	}
	n, err := k.raw.Read(p[:min(len(p), k.allowed)])
	k.allowed -= n
	return n, err
}

// exchange sends a request of this method and reads the header of the answer. If it fails the connection is closed.
func (k *conn) exchange(ctx context.Context, method string, request []byte, a *Account) (*http.Response, error) {
	k.ctx, k.stop, k.allowed = ctx, context.AfterFunc(ctx, k.interrupt), maxAnswerHeader
	n, err := k.raw.Write(request)
	a.Sent = n > 0
	// A server may have answered before it closed the connection without having read all. What it says before it was asked at all,
	// and what it would say later, is no answer to this request.
	if err == nil || a.Sent && !k.quiet() {
		res, failed := k.answer(method, err != nil)
		if failed == nil {
			a.Heard = true // somebody else may use the connection now
			return res, nil
		}
		if err == nil {
			err = failed
		}
	}
	a.Heard = k.allowed < maxAnswerHeader
	k.stop()
	k.raw.Close()
	if ended := ctx.Err(); ended != nil {
		err = ended
	}
	return nil, err
}

// answer reads the header of the answer to a request of this method. last: the connection can't be used again.
func (k *conn) answer(method string, last bool) (*http.Response, error) {
	r := http.Request{Method: method} // all that ReadResponse wants to know of it
	for range maxInformations + 1 {
		res, err := http.ReadResponse(k.in, &r)
		switch {
		case err != nil:
			return nil, fmt.Errorf("cannot read the answer: %w", err)
		case res.StatusCode == http.StatusSwitchingProtocols, res.StatusCode < 100: // of which net/http's server would panic
			return nil, ErrUnasked
		case res.StatusCode < 200:
			continue
		}
		k.allowed = -1
		res.Request = nil
		if b := (&body{src: res.Body, conn: k, last: last || res.Close}); res.Body == http.NoBody {
			b.end(true)
		} else {
			res.Body = b
		}
		return res, nil
	}
	return nil, ErrUnasked
}

// body is that of an answer. When it has been read to its end, its connection may be used again; when it is closed before,
// the connection is, too.
type body struct {
	src   io.Reader
	conn  *conn
	last  bool  // the connection can't be used again, or the server said that it closes it
	over  error // what the last Read said
	ended atomic.Bool
}

func (b *body) Read(p []byte) (int, error) {
	if b.over == nil && b.ended.Load() {
		b.over = http.ErrBodyReadAfterClose
	}
	if b.over != nil {
		return 0, b.over
	}
	n, err := b.src.Read(p)
	if err == nil {
		return n, nil
	}
	if err != io.EOF {
		if ended := b.conn.ctx.Err(); ended != nil {
			err = ended
		}
	}
	b.over = err
	b.end(err == io.EOF)
	return n, err
}

// Close may be called while another goroutine reads, and ends that.
func (b *body) Close() error {
	b.end(false)
	return nil
}

func (b *body) end(whole bool) {
	if b.ended.Swap(true) {
		return
	}
	k := b.conn
	if k.stop() && whole && !b.last && k.in.Buffered() == 0 {
		k.client.keep(k)
		return
	}
	k.raw.Close()
}

func always() bool { return true }
