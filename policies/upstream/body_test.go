package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestBodies(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789abcdef"), 5<<16) // 5 MiB
	w := newWorker(t, "unix", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/length":
			w.Header().Set("Content-Length", "5242880")
			w.Write(big)
		case "/chunked":
			w.Write(big[:4096])
			w.(http.Flusher).Flush()
			w.Write(big[4096:])
		case "/empty":
		case "/204":
			w.WriteHeader(204)
		case "/head":
			w.Header().Set("Content-Length", "77")
		case "/echo":
			w.Write(body)
		}
	})
	for _, test := range []struct {
		name   string
		req    Request
		limit  int64
		want   []byte
		stream bool
	}{
		{"with a length", Request{Method: "GET", URI: "/length"}, 0, big, false},
		{"chunked", Request{Method: "GET", URI: "/chunked"}, 0, big, false},
		{"with a length, beyond the limit", Request{Method: "GET", URI: "/length"}, 1 << 20, big, true},
		{"chunked, beyond the limit", Request{Method: "GET", URI: "/chunked"}, 1 << 20, big, true},
		{"exactly the limit", Request{Method: "GET", URI: "/length"}, 5 << 20, big, false},
		{"unbuffered", Request{Method: "GET", URI: "/chunked", Unbuffered: true}, 0, big, true},
		{"empty", Request{Method: "GET", URI: "/empty"}, 0, []byte{}, false},
		{"204", Request{Method: "GET", URI: "/204"}, 0, []byte{}, false},
		{"HEAD", Request{Method: "HEAD", URI: "/head"}, 0, []byte{}, false},
		{"echo", Request{Method: "POST", URI: "/echo", Body: big}, 0, big, false},
		{"echo of what a socket takes at once", Request{Method: "POST", URI: "/echo", Body: big[:100_000]}, 0, big[:100_000], false},
		{"with a header that it doesn't", Request{Method: "POST", URI: "/echo", Header: http.Header{"A": {string(big[:150_000])}}, Body: big[:10]}, 0, big[:10], false},
		{"echo of a stream", Request{Method: "POST", URI: "/echo", Stream: bytes.NewReader(big), StreamLength: int64(len(big)), Write: true}, 0, big, false},
		{"echo of a stream of unknown length", Request{Method: "POST", URI: "/echo", Stream: io.LimitReader(bytes.NewReader(big), 1<<30), StreamLength: -1, Write: true}, 0, big, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPool(t, Options{BufferLimit: test.limit}, w.target("w", Bundled))
			res, err := p.Do(context.Background(), &test.req)
			if err != nil {
				t.Fatal(err)
			}
			got := res.Body
			if (res.Stream != nil) != test.stream {
				t.Fatalf("streamed: %v", res.Stream != nil)
			}
			if test.stream {
				if got != nil {
					t.Error("both a body and a stream")
				}
				if n := p.Status()[0].InFlight; n != 1 {
					t.Errorf("%d in flight while the answer is streamed", n)
				}
				if got, err = io.ReadAll(res.Stream); err != nil {
					t.Error(err)
				}
				res.Stream.Close()
				res.Stream.Close()
			}
			if !bytes.Equal(got, test.want) {
				t.Errorf("got %d bytes, want %d", len(got), len(test.want))
			}
			if test.name == "HEAD" && res.Header.Get("Content-Length") != "77" {
				t.Errorf("header %v", res.Header)
			}
			if n := p.Status()[0].InFlight; n != 0 {
				t.Errorf("%d in flight afterwards", n)
			}
		})
	}
}

// A streamed answer that stalls or is cut ends with an error, never like a complete one.
func TestBrokenStream(t *testing.T) {
	for _, test := range []struct {
		name string
		do   http.HandlerFunc
	}{{"cut", half}, {"cut while chunked", halfChunked}, {"stalled", halfHang}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorker(t, "pipe", test.do)
				p := newPool(t, Options{AnswerTimeout: time.Second}, w.target("w", Remote))
				res, err := p.Do(context.Background(), &Request{Method: "GET", URI: "/x", Unbuffered: true})
				if err != nil {
					t.Fatal(err)
				}
				defer res.Stream.Close()
				if b, err := io.ReadAll(res.Stream); err == nil || len(b) > 50 {
					t.Errorf("read %d bytes, error %v", len(b), err)
				}
			})
		})
	}
}

// A client that takes its time with a streamed answer isn't mistaken for a silent worker; neither is one that sends
// its upload slowly.
func TestSlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 4 << 20
		w := newWorker(t, "pipe", func(w http.ResponseWriter, r *http.Request) {
			if b, err := io.ReadAll(r.Body); err != nil || string(b) != "slow" {
				t.Errorf("the worker got %q, %v", b, err)
			}
			w.Write(make([]byte, size))
		})
		p := newPool(t, Options{AnswerTimeout: 100 * time.Millisecond}, w.target("w", Remote))
		pr, pw := io.Pipe()
		go func() {
			time.Sleep(250 * time.Millisecond)
			io.WriteString(pw, "slow")
			pw.Close()
		}()
		res, err := p.Do(context.Background(), &Request{Method: "POST", URI: "/x", Stream: pr, StreamLength: -1, Write: true, Unbuffered: true})
		if err != nil {
			t.Fatal(err)
		}
		defer res.Stream.Close()
		time.Sleep(250 * time.Millisecond)
		got, err := io.ReadFull(res.Stream, make([]byte, 100))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(250 * time.Millisecond)
		rest, err := io.Copy(io.Discard, res.Stream)
		if err != nil || int64(got)+rest != size {
			t.Errorf("got %d bytes, %v", int64(got)+rest, err)
		}
	})
}

// TestStreamedRequest: an upload is sent again only if nothing of it was read.
func TestStreamedRequest(t *testing.T) {
	t.Run("dead worker", func(t *testing.T) {
		dead, ok := newWorker(t, "tcp", answer("")), newWorker(t, "tcp", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
		dead.kill()
		for range 10 {
			p := newPool(t, Options{}, dead.target("dead", Remote), ok.target("ok", Remote))
			res, err := p.Do(context.Background(), &Request{Method: "POST", URI: "/f", Stream: strings.NewReader("file"), StreamLength: 4, Write: true})
			if err != nil || string(res.Body) != "file" {
				t.Fatalf("got %+v, %v", res, err)
			}
		}
	})
	for _, kind := range []Kind{Bundled, Remote} {
		t.Run("dies in the middle/"+kind.String(), func(t *testing.T) {
			bad := newWorker(t, "unix", abort)
			p := newPool(t, Options{}, bad.target("bad", kind))
			_, err := p.Do(context.Background(), &Request{Method: "POST", URI: "/f", Stream: strings.NewReader("file"), StreamLength: 4, Write: true, WriteID: "id"})
			if !errors.Is(err, ErrOutcomeUnknown) {
				t.Errorf("got %v, want ErrOutcomeUnknown", err)
			}
			if n := bad.requests.Load(); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// cutReader is the upload of a client that goes away, or sends more than it may.
type cutReader struct {
	rest io.Reader
	err  error
}

func (r *cutReader) Read(p []byte) (int, error) {
	n, err := r.rest.Read(p)
	if err == io.EOF {
		err = r.err
	}
	return n, err
}

// TestUnreadStream: uploads that clients don't end are nobody's fault but theirs, and no worker takes them for whole.
func TestUnreadStream(t *testing.T) {
	for _, kind := range []Kind{Bundled, Remote} {
		for _, length := range []int64{-1, 1000} {
			t.Run(fmt.Sprint(kind, " ", length), func(t *testing.T) {
				var whole atomic.Bool
				w := newWorker(t, "unix", func(w http.ResponseWriter, r *http.Request) {
					if _, err := io.Copy(io.Discard, r.Body); err == nil {
						whole.Store(true)
					}
				})
				p := newPool(t, Options{}, w.target("w", kind))
				for range 10 {
					cut := errors.New("the client left")
					_, err := p.Do(t.Context(), &Request{
						Method: "POST", URI: "/f", Write: true, WriteID: "id", StreamLength: length, Stream: &cutReader{strings.NewReader("half"), cut},
					})
					if !errors.Is(err, ErrUnread) || !errors.Is(err, cut) || errors.Is(err, ErrOutcomeUnknown) {
						t.Fatalf("got %v, want ErrUnread", err)
					}
				}
				if s := p.Status()[0]; s.Failures != 0 || s.Breaker != "closed" || s.State != "up" || s.InFlight != 0 {
					t.Errorf("the worker is blamed: %+v", s)
				}
				if whole.Load() {
					t.Error("the worker took a part for the whole")
				}
			})
		}
	}
}
