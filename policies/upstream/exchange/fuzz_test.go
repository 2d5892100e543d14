package exchange

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// FuzzRender: what is sent is one request, whatever its parts hold, and the one that was meant.
func FuzzRender(f *testing.F) {
	f.Add("GET", "/a", "b=c", "host", "Name", "value", []byte(nil))
	f.Add("POST", "/a b", "", "host:80", "content-length", "9", []byte("body"))
	f.Add("GET", "/", "\r\nX: y", "h\r\n\r\n", "Transfer-Encoding", "chunked", []byte("0\r\n\r\n"))
	f.Add("PUT", "//", "?", "[::1]", "A\n", "\r\n\r\nGET / HTTP/1.1", []byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, method, path, query, host, name, value string, body []byte) {
		r := &http.Request{Method: method, Host: host, URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{name: {value}}}
		out, err := render(nil, r, body)
		if err != nil {
			return
		}
		in := bufio.NewReader(bytes.NewReader(out))
		got, err := http.ReadRequest(in)
		if err != nil {
			t.Fatalf("%q can't be read: %v", out, err)
		}
		read, err := io.ReadAll(got.Body)
		if err != nil || !bytes.Equal(read, body) {
			t.Fatalf("%q has the body %q, %v", out, read, err)
		}
		if rest, _ := io.ReadAll(in); len(rest) > 0 {
			t.Fatalf("%q has %q left", out, rest)
		}
		if got.Method != method || got.RequestURI != r.URL.RequestURI() || len(got.TransferEncoding) > 0 {
			t.Fatalf("%q is %s %s, %v", out, got.Method, got.RequestURI, got.TransferEncoding)
		}
		delete(got.Header, "Content-Length")
		if len(got.Header) > 1 || len(got.Header) == 1 && got.Header[http.CanonicalHeaderKey(name)] == nil {
			t.Fatalf("%q has the header %v, want no more than %q", out, got.Header, name)
		}
		if want := strings.Trim(value, " \t"); got.Header != nil && got.Header.Get(name) != want && len(got.Header) == 1 {
			t.Fatalf("%q: %q, want %q", out, got.Header.Get(name), want)
		}
	})
}

// FuzzAnswer: whatever a server says, the end is a final answer or an error, and no byte that came after the answer is left for the
// next; nor is the connection, if the request wasn't sent to its end.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 101 \r\n\r\n",
		"HTTP/1.1 099 A\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhi", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
	} {
		f.Add("GET", []byte(s))
		f.Add("HEAD", []byte(s))
	}
	f.Fuzz(func(t *testing.T, method string, answer []byte) {
		for _, takes := range []error{nil, io.ErrShortWrite} {
			c := &Client{MaxIdle: 1}
			k := newConn(c, &told{Reader: bytes.NewReader(answer), takes: takes})
			k.quiet = func() bool { return k.ctx == nil } // until there is an exchange
			c.keep(k)
			res, told, err := c.Do(context.Background(), request(method, "/"), nil)
			if !told.Fit {
				return
			}
			if err == nil && res.StatusCode < 200 {
				t.Errorf("%q is taken for an answer", answer)
			}
			_, _, _ = read(res, err)
			if len(c.idle) > 0 && (takes != nil || k.in.Buffered() > 0) {
				t.Errorf("after %q, %v, the connection is kept with %d bytes for the next one", answer, takes, k.in.Buffered())
			}
		}
	})
}

// told is a connection whose other side has said all it will.
type told struct {
	net.Conn
	*bytes.Reader
	takes error // not nil: only half of what is written
}

func (c *told) Read(p []byte) (int, error) { return c.Reader.Read(p) }
func (c *told) Close() error               { return nil }
func (c *told) Write(p []byte) (int, error) {
	if c.takes != nil {
		return len(p) / 2, c.takes
	}
	return len(p), nil
}
