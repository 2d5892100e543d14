package inspect

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"github.com/parsescale/parsescale/policies/request"
)

// Limit is how much of a body, in bytes, is read to classify a request. What is longer counts as a write of unknown
// classes; no read is that long.
const Limit = 1 << 20

// ErrTooLarge: a batch is larger than the caller allows, so that it can't be known what it holds.
var ErrTooLarge = errors.New("the batch is too large")

// Options say how requests are classified.
type Options struct {
	// Mount is the path of the Parse API, MaxBatch the largest body of a batch in bytes; the default is Limit.
	Mount    string
	MaxBatch int64
	// MaxBody is how much of any other body is read in bytes, of an upload as well if that may be a JSON object with credentials
	// beside the file. Default: Limit, and nothing of uploads.
	MaxBody int64
	// Seed is that of request.Input.
	Seed uint64
}

// Classify tells what a request asks for. rest is its path below the mount. It reads the beginning of the body: of a
// batch all, of a file nothing. r then has a body that begins with that again, so that Classify costs little when it is
// called once more.
func Classify(r *http.Request, rest string, o Options) (request.Request, error) {
	in := request.Input{Method: r.Method, Path: rest, RawQuery: r.URL.RawQuery, Header: r.Header, Mount: o.Mount, Seed: o.Seed}
	limit := max(Limit, o.MaxBody)
	if IsBatch(rest) && o.MaxBatch > 0 {
		limit = o.MaxBatch
	}
	switch {
	case r.Method == http.MethodConnect: // whose body is what the client and the server say to each other
	case !IsUpload(r, rest):
		in.Body, in.BodyComplete = start(r, limit)
	case o.MaxBody > 0 && isFile(rest):
		if in.Body, in.BodyComplete = start(r, peeked); mayBeObject(in.Body) {
			in.Body, in.BodyComplete = start(r, limit)
		}
	}
	if !in.BodyComplete && IsBatch(rest) && int64(len(in.Body)) >= limit {
		return request.Request{}, ErrTooLarge
	}
	return request.Classify(in), nil
}

// peeked is how much of an upload is looked at to tell whether it may be a JSON object, in bytes.
const peeked = 511

func mayBeObject(begin []byte) bool {
	content := bytes.TrimLeft(begin, " \t\r\n")
	return len(content) == 0 || content[0] == '{'
}

// start returns the first bytes of the body, limit of them if there are as many, and whether that is all of it.
func start(r *http.Request, limit int64) (read []byte, whole bool) {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return nil, true
	}
	b, ok := r.Body.(*body)
	if !ok || b.at > 0 {
		b = &body{rest: r.Body, length: r.ContentLength}
		r.Body = b
	}
	b.fill(limit + 1)
	if int64(len(b.start)) > limit {
		return b.start[:limit], false
	}
	return b.start, b.whole()
}

// body is a request's body of which the start has been read. It begins with that again for whoever reads it next.
type body struct {
	start  []byte
	at     int   // how much of start has been read again
	err    error // what came after start, nil if that wasn't read
	rest   io.ReadCloser
	length int64 // as announced, -1 if it wasn't
}

// whole reports whether start is all of the body. One that is shorter than was announced was read by somebody before.
func (b *body) whole() bool {
	return b.err == io.EOF && (b.length < 0 || int64(len(b.start)) == b.length)
}

// fill reads until start has n bytes.
func (b *body) fill(n int64) {
	if b.err != nil || int64(len(b.start)) >= n {
		return
	}
	buf := bytes.NewBuffer(b.start)
	if b.length > 0 {
		buf.Grow(int(min(b.length, n)) + bytes.MinRead)
	}
	_, b.err = buf.ReadFrom(io.LimitReader(b.rest, n-int64(len(b.start))))
	b.start = buf.Bytes()
	if b.err == nil && int64(len(b.start)) < n {
		b.err = io.EOF
	}
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.at < len(b.start) {
		n := copy(p, b.start[b.at:])
		b.at += n
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	b.at = len(b.start) + 1 // the rest is gone from here on
	return b.rest.Read(p)
}

// Close implements io.Closer.
func (b *body) Close() error { return b.rest.Close() }
