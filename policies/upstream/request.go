package upstream

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Request is one request to a pool.
type Request struct {
	// Method as it is sent, which for the SDKs is mostly POST.
	Method string
	// URI is path and query as they are sent, escaped; the path of the worker's address goes before it.
	URI string
	// Host of the request; "": the worker's own.
	Host string
	// Header of the client. It is copied, without hop-by-hop and X-Parsescale-* headers, for each attempt.
	Header http.Header
	// Prepare changes the header of an attempt for the worker that gets it; nil: nothing to change. It may be called
	// several times, for two attempts at once, and must replace values rather than edit them.
	Prepare func(h http.Header, t *Target)
	// Body is the whole body, which can be sent again. Stream is used instead if Body is nil.
	Body []byte
	// Stream is a body that can be read only once, of StreamLength bytes (-1: unknown). A request whose stream was
	// begun isn't repeated. The pool doesn't close it and doesn't read from it after Do has returned a complete body
	// or the streamed answer was closed.
	Stream       io.Reader
	StreamLength int64
	// Write: the request may change something. When in doubt it does.
	Write bool
	// WriteID identifies a write to bundled workers, which do it once however often they get it. Without an id a
	// write is treated as a write to a remote worker.
	WriteID string
	// Key says which requests should get the same worker, where Options.Policy is balance.Sticky; 0: this one may get any.
	Key uint64
	// Worker is the name of the member that is asked first, if it can be; after that, and for writes that are gathered, the pool
	// chooses. "": it always does.
	Worker string
	// TryTimeout is how long one attempt at a read may take before another worker is asked instead: one that may be, within
	// Options.Retries and the retry budget; else the attempt goes on. 0: as long as it takes. A write's attempts are never
	// ended by it, for what is ended may have been done.
	TryTimeout time.Duration
	// Deadline is when the request is over: no worker is asked any more, and an attempt under way is ended, unless its
	// answer is already handed on as a stream. Workers are told of it in DeadlineHeader. Zero: there is none. A write that is
	// repeated until its outcome is known had better have none.
	Deadline time.Time
	// Slow is the time after which an answer, or an attempt that was given up, is slow: see breaker.Options.SlowShare. It is
	// for requests that take about as long; those of another kind have another one, or none. 0: none.
	Slow time.Duration
	// Hedge: a second worker may be asked as well, as Options.Hedge says. It does nothing for a write, or with a Stream.
	Hedge bool
	// Sort, below Sorts, is what requests have in common that take about as long, such as their operation.
	Sort uint8
	// Untimed: how long the answer takes says nothing about the worker, as with cloud functions, jobs and batches.
	Untimed bool
	// Unbuffered hands on the answer as soon as its header is there, for events and the like.
	Unbuffered bool
}

// parse checks the URI and takes it apart: net/http wants a url.URL and must send it the way it came.
func (r *Request) parse() (*url.URL, error) {
	if !strings.HasPrefix(r.URI, "/") || strings.ContainsFunc(r.URI, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return nil, fmt.Errorf("%w: its URI is not an escaped path", ErrUnsendable)
	}
	raw, query, has := strings.Cut(r.URI, "?")
	path, err := url.PathUnescape(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: its path is not well escaped", ErrUnsendable)
	}
	return &url.URL{Path: path, RawPath: raw, RawQuery: query, ForceQuery: has && query == ""}, nil
}

// at is u below the path of a worker's address.
func (a *Address) at(u *url.URL) (*url.URL, error) {
	out := *u
	out.Scheme, out.Host = a.Scheme, a.Host
	if a.Path != "" {
		prefix, err := url.PathUnescape(a.Path)
		if err != nil {
			return nil, fmt.Errorf("%w: the path of the worker's address is not well escaped", ErrUnsendable)
		}
		out.Path, out.RawPath = prefix+u.Path, a.Path+u.EscapedPath()
	}
	return &out, nil
}

// bytesBody sends a []byte. It has no GetBody, so that repeating is decided here and not in net/http.
type bytesBody struct {
	rest []byte
	dog  *watchdog
}

func (b *bytesBody) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		return 0, io.EOF
	}
	b.dog.progress()
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func (b *bytesBody) Close() error { return nil }

// streamBody sends a body that comes from the client. Its Close ends the use of the client's reader, which stays open.
type streamBody struct {
	src  io.Reader
	call *call
	dog  *watchdog

	closed atomic.Bool
}

func (b *streamBody) Read(p []byte) (int, error) {
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	b.call.begun.Store(true)
	b.dog.pause() // a slow client is not a silent worker
	n, err := b.src.Read(p)
	if err != nil && err != io.EOF {
		b.call.unread.Store(&err)
	}
	b.dog.progress()
	return n, err
}

// Close doesn't wait for a Read that is under way: only the client can end it.
func (b *streamBody) Close() error {
	b.closed.Store(true)
	return nil
}

// noBody is a body without a byte that isn't http.NoBody: net/http repeats a GET without a body by itself on a
// connection that was used before. That is wrong for a GET that writes.
type noBody struct{}

func (noBody) Read([]byte) (int, error) { return 0, io.EOF }
func (noBody) Close() error             { return nil }

// whole tells whether all that is to be sent is at hand.
func (r *Request) whole() bool { return r.Body != nil || r.Stream == nil || r.StreamLength == 0 }

// body returns the body of one attempt and its length.
func (c *call) body(dog *watchdog) (io.ReadCloser, int64) {
	r := c.req
	switch {
	case len(r.Body) > 0:
		return &bytesBody{rest: r.Body, dog: dog}, int64(len(r.Body))
	case !r.whole():
		return &streamBody{src: r.Stream, call: c, dog: dog}, r.StreamLength
	case r.Write && (r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions || r.Method == http.MethodTrace):
		return noBody{}, 0
	default:
		return http.NoBody, 0
	}
}
