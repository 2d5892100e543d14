package exchange

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server listens on a unix socket and counts its connections.
type server struct {
	net.Listener
	accepted atomic.Int64
}

func listen(t testing.TB) *server {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &server{Listener: l}
}

func (s *server) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err == nil {
		s.accepted.Add(1)
	}
	return c, err
}

func (s *server) client(t testing.TB) *Client {
	c := &Client{
		Dial: func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", s.Addr().String())
		},
		MaxIdle: 64, IdleTimeout: time.Minute,
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// serve has a handler answer.
func serve(t testing.TB, h http.HandlerFunc) *server {
	s := listen(t)
	hs := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() { defer close(done); _ = hs.Serve(s) }()
	t.Cleanup(func() { hs.Close(); <-done })
	return s
}

// script answers every request of a connection with the same bytes, and closes the connection after them if that is so.
func script(t testing.TB, answer string, closes bool) *server {
	s := listen(t)
	go func() {
		for {
			c, err := s.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					if _, err := io.WriteString(c, answer); err != nil || closes {
						return
					}
				}
			}()
		}
	}()
	return s
}

func request(method, path string) *http.Request {
	return &http.Request{Method: method, URL: &url.URL{Scheme: "http", Host: "worker", Path: path}, Header: http.Header{}}
}

// read takes the whole answer.
func read(res *http.Response, err error) (status int, body string, _ error) {
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

func TestAnswers(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	for name, a := range map[string]struct {
		method string // "": GET
		answer string
		closes bool
		status int
		body   string
		err    error // of Do or of reading
		fails  bool  // with whatever error
		again  bool  // the connection is used again
	}{
		"length":                    {answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", status: 200, body: "hi", again: true},
		"long":                      {answer: "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + long, status: 200, body: long, again: true},
		"nothing":                   {answer: "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", status: 201, again: true},
		"no content":                {answer: "HTTP/1.1 204 No Content\r\n\r\n", status: 204, again: true},
		"not modified, of a length": {answer: "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", status: 304, again: true},
		"HEAD":                      {method: "HEAD", answer: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", status: 200, again: true},
		"chunked":                   {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", status: 200, body: "hi", again: true},
		"chunked, with a trailer":   {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\n\r\n", status: 200, body: "hi", again: true},
		"told to close":             {answer: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", status: 200, body: "hi"},
		"nothing, told to close":    {answer: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", status: 200},
		"until the end":             {answer: "HTTP/1.1 200 OK\r\n\r\nhi", closes: true, status: 200, body: "hi"},
		"HTTP/1.0":                  {answer: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", status: 200, body: "hi"},
		"more than an answer":       {answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", status: 200, body: "hi"},
		"more than no answer":       {answer: "HTTP/1.1 204 No Content\r\n\r\nno", status: 204},
		"informed":                  {answer: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", status: 200, body: "hi", again: true},
		"informed without end":      {answer: strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 50), err: ErrUnasked},
		"another protocol":          {answer: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", err: ErrUnasked},
		"a status below 100":        {answer: "HTTP/1.1 099 What\r\nContent-Length: 38\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", err: ErrUnasked},
		"a header without end":      {answer: "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: "+strings.Repeat("b", 1000)+"\r\n", 1100), err: ErrHeaderTooLarge},
		"a line without end":        {answer: "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("b", maxAnswerHeader), err: ErrHeaderTooLarge},
		"no HTTP":                   {answer: "SSH-2.0-OpenSSH_9.2\r\n\r\n", fails: true},
		"two lengths":               {answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!", fails: true},
		"no answer":                 {closes: true, err: io.ErrUnexpectedEOF},
		"half a header":             {answer: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n", closes: true, err: io.ErrUnexpectedEOF},
		"half a line":               {answer: "HTTP/1.1 200 OK\r\nContent-Le", closes: true, fails: true},
		"half a body":               {answer: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", closes: true, err: io.ErrUnexpectedEOF},
		"half a chunk":              {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhi", closes: true, err: io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			s := script(t, a.answer, a.closes)
			c := s.client(t)
			if a.method == "" {
				a.method = "GET"
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			for round := range 2 {
				res, told, err := c.Do(ctx, request(a.method, "/"), nil)
				status, body, err := read(res, err)
				if status != a.status && err == nil || body != a.body && err == nil || (err != nil) != (a.fails || a.err != nil) || a.err != nil && !errors.Is(err, a.err) {
					t.Fatalf("status %d, a body of %d bytes, error %v, want %d, %d, %v", status, len(body), err, a.status, len(a.body), a.err)
				}
				if heard := a.answer != ""; told.Heard != heard {
					t.Fatalf("round %d: %+v, want heard to be %t", round, told, heard)
				}
				if !told.Fit || !told.Sent || told.Reused != (round == 1 && a.again) {
					t.Fatalf("round %d: %+v, want fit, sent, and reused only in the second of an answer that lets the connection be", round, told)
				}
			}
			want := int64(2)
			if a.again {
				want = 1
			}
			if n := s.accepted.Load(); n != want {
				t.Errorf("%d connections, want %d", n, want)
			}
		})
	}
}

// TestSent asks what a server understands.
func TestSent(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		delete(r.Header, "Content-Length") // it shows in the request
		fmt.Fprintf(w, "%s %s %s %d %q %v", r.Method, r.RequestURI, r.Host, r.ContentLength, body, r.Header)
	})
	c := s.client(t)
	large := strings.Repeat("b", MaxRequest-len("POST / HTTP/1.1\r\nHost: worker\r\nContent-Length: 131008\r\n\r\n"))
	for name, a := range map[string]struct {
		r    func(r *http.Request)
		body string
		want string
	}{
		"a read":             {func(*http.Request) {}, "", `GET / worker 0 "" map[]`},
		"a query, escaped":   {func(r *http.Request) { r.URL.Path, r.URL.RawPath, r.URL.RawQuery = "/a/b", "/a%2Fb", "x=%20" }, "", `GET /a%2Fb?x=%20 worker 0 "" map[]`},
		"a host":             {func(r *http.Request) { r.Host = "api.example.com:80" }, "", `GET / api.example.com:80 0 "" map[]`},
		"a body":             {func(r *http.Request) { r.Method = "PUT" }, "hi", `PUT / worker 2 "hi" map[]`},
		"the largest body":   {func(r *http.Request) { r.Method = "POST" }, large, fmt.Sprintf(`POST / worker %d %q map[]`, len(large), large)},
		"a body of nothing":  {func(r *http.Request) { r.Method = "POST" }, "", `POST / worker 0 "" map[]`},
		"a body of a DELETE": {func(r *http.Request) { r.Method = "DELETE" }, "hi", `DELETE / worker 2 "hi" map[]`},
		"fields":             {func(r *http.Request) { r.Header = http.Header{"A": {"1", "2"}, "User-Agent": {"me"}} }, "", `GET / worker 0 "" map[A:[1 2] User-Agent:[me]]`},
		"no user agent":      {func(r *http.Request) { r.Header.Set("User-Agent", "") }, "", `GET / worker 0 "" map[]`},
		"fields that say where a request ends": {func(r *http.Request) {
			r.Header = http.Header{"Content-Length": {"99"}, "content-length": {"98"}, "Transfer-Encoding": {"chunked"}, "TRAILER": {"A"}, "hOst": {"evil"}}
		}, "hi", `GET / worker 2 "hi" map[]`},
	} {
		t.Run(name, func(t *testing.T) {
			r := request("GET", "/")
			a.r(r)
			res, told, err := c.Do(t.Context(), r, []byte(a.body))
			if _, body, err := read(res, err); err != nil || body != a.want || !told.Sent {
				t.Errorf("%.300s, %v, want %.300s", body, err, a.want)
			}
		})
	}
	if n := s.accepted.Load(); n != 1 {
		t.Errorf("%d connections for one request after another, want 1", n)
	}
}

func TestUnfit(t *testing.T) {
	c := &Client{Dial: func(context.Context) (net.Conn, error) {
		t.Error("a connection is made for what can't be sent")
		return nil, errors.New("none")
	}}
	for name, change := range map[string]func(r *http.Request){
		"a method with a space":      func(r *http.Request) { r.Method = "GET /x" },
		"no method":                  func(r *http.Request) { r.Method = "" },
		"a host with a line break":   func(r *http.Request) { r.Host = "a\r\nB: c" },
		"no host":                    func(r *http.Request) { r.URL.Host = "" },
		"no URL":                     func(r *http.Request) { r.URL = nil },
		"no path":                    func(r *http.Request) { r.URL = &url.URL{Host: "a", Opaque: "b"} },
		"a query with a space":       func(r *http.Request) { r.URL.RawQuery = "a b" },
		"a query with a line break":  func(r *http.Request) { r.URL.RawQuery = "a\r\nB: c" },
		"a name with a colon":        func(r *http.Request) { r.Header["A:"] = []string{"b"} },
		"an empty name":              func(r *http.Request) { r.Header[""] = []string{"b"} },
		"a value with a line break":  func(r *http.Request) { r.Header["A"] = []string{"b\r\nC: d"} },
		"a value with a zero":        func(r *http.Request) { r.Header["A"] = []string{"b", "\x00"} },
		"an agent with a line break": func(r *http.Request) { r.Header["User-Agent"] = []string{"\n"} },
	} {
		t.Run(name, func(t *testing.T) {
			r := request("GET", "/")
			change(r)
			if _, told, err := c.Do(t.Context(), r, nil); !errors.Is(err, ErrUnfit) || told != (Account{}) {
				t.Errorf("%v, %+v, want ErrUnfit and nothing sent", err, told)
			}
		})
	}
}

func TestUnreached(t *testing.T) {
	s := listen(t)
	c := s.client(t)
	s.Close()
	if _, told, err := c.Do(t.Context(), request("GET", "/"), nil); err == nil || told != (Account{Fit: true}) {
		t.Errorf("%v, %+v, want an error and nothing sent", err, told)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, told, err := c.Do(ctx, request("GET", "/"), nil); !errors.Is(err, context.Canceled) || told != (Account{Fit: true}) {
		t.Errorf("%v, %+v, want the context's error and nothing sent", err, told)
	}
}

// TestTooLarge: what a socket doesn't take at once is left to others.
func TestTooLarge(t *testing.T) {
	s := listen(t)
	c := s.client(t)
	header := request("GET", "/")
	header.Header["A"] = []string{strings.Repeat("a", MaxRequest)}
	for name, a := range map[string]struct {
		r    *http.Request
		body []byte
	}{
		"a body":              {request("POST", "/"), make([]byte, MaxRequest+1)},
		"a body and a header": {request("POST", "/"), make([]byte, MaxRequest)},
		"a header":            {header, nil},
	} {
		if _, told, err := c.Do(t.Context(), a.r, a.body); !errors.Is(err, ErrTooLarge) || told != (Account{}) {
			t.Errorf("%s: %v, %+v, want ErrTooLarge and nothing sent", name, err, told)
		}
	}
	k, err := c.Dial(t.Context()) // nobody accepts it, let alone reads
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	_ = k.SetWriteDeadline(time.Now().Add(5 * time.Second))
	if n, err := k.Write(make([]byte, MaxRequest)); err != nil {
		t.Errorf("the socket takes %d bytes: %v", n, err)
	}
}

// TestUnreadRequest: a server that answers without reading the request, or all of it, and closes the connection, is heard.
func TestUnreadRequest(t *testing.T) {
	// It says that it closes the connection, as it has to: else the next request may be on its way there before it does.
	const refusal = "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno"
	for name, a := range map[string]struct {
		reads  int64 // bytes of the request
		answer string
		leave  func(k net.Conn)
		takes  int  // bytes that the socket takes without anybody reading; 0: as many as usual
		fails  bool // and what was heard is no answer, or not all of one
	}{
		"half-closes it without reading":                             {0, refusal, halfClose, 0, false},
		"closes it after the header":                                 {100, refusal, closeIt, 0, false},
		"closes it after the header, and the socket is full":         {100, refusal, closeIt, 8 << 10, false},
		"closes it in the middle, and the socket is full":            {64 << 10, refusal, closeIt, 8 << 10, false},
		"closes it without an answer, and the socket is full":        {100, "", closeIt, 8 << 10, true},
		"closes it within the header, and the socket is full":        {100, refusal[:20], closeIt, 8 << 10, true},
		"says nothing but to go on, closes it, the socket is full":   {100, "HTTP/1.1 100 Continue\r\n\r\n", closeIt, 8 << 10, true},
		"closes it within the answer's body, and the socket is full": {100, refusal[:len(refusal)-1], closeIt, 8 << 10, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := listen(t)
			go func() {
				for {
					k, err := s.Accept()
					if err != nil {
						return
					}
					_, _ = io.CopyN(io.Discard, k, a.reads)
					_, _ = io.WriteString(k, a.answer)
					a.leave(k)
					defer k.Close()
				}
			}()
			c := s.client(t)
			dial := c.Dial
			c.Dial = func(ctx context.Context) (net.Conn, error) {
				k, err := dial(ctx)
				if err == nil && a.takes > 0 {
					err = k.(*net.UnixConn).SetWriteBuffer(a.takes)
				}
				return k, err
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			for range 20 {
				res, told, err := c.Do(ctx, request("POST", "/"), make([]byte, MaxRequest-1000))
				status, body, err := read(res, err)
				if a.fails && err == nil || !a.fails && (status != 413 || body != "no" || err != nil) {
					t.Fatalf("%d, %q, %v", status, body, err)
				}
				if !told.Sent || told.Reused || told.Heard != (a.answer != "") {
					t.Fatalf("%+v, want sent, on a new connection each time", told)
				}
			}
		})
	}
}

func closeIt(k net.Conn)   { k.Close() }
func halfClose(k net.Conn) { _ = k.(*net.UnixConn).CloseWrite() }

// TestUnwritable: when a request can't be sent to its end and nothing was answered, that is the error, and nobody waits for more.
func TestUnwritable(t *testing.T) {
	s := listen(t) // accepts and answers nothing
	c := s.client(t)
	dial, broken := c.Dial, errors.New("broken")
	c.Dial = func(ctx context.Context) (net.Conn, error) {
		k, err := dial(ctx)
		return half{k.(*net.UnixConn), broken}, err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, told, err := c.Do(ctx, request("POST", "/"), nil); !errors.Is(err, broken) || told != (Account{Fit: true, Sent: true}) {
		t.Errorf("%v, %+v", err, told)
	}
}

// half is a connection that takes half of what is written to it.
type half struct {
	*net.UnixConn
	err error
}

func (h half) Write(p []byte) (int, error) {
	n, _ := h.UnixConn.Write(p[:len(p)/2])
	return n, h.err
}
