package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// Response is a worker's answer.
type Response struct {
	Status int
	// Header without hop-by-hop headers; X-Parsescale-* only from workers that are believed. The caller may change it.
	Header http.Header
	// Body is the complete body; nil if Stream is set.
	Body []byte
	// Stream is a body larger than Options.BufferLimit, or the body of an unbuffered answer. It must be closed. A
	// worker that dies while it is read shows as an error of Read.
	Stream io.ReadCloser
	// Length of Stream in bytes, -1: unknown.
	Length int64
	// Worker is the name of the worker that answered, Kind its kind.
	Worker string
	Kind   Kind
	// Attempts is how many workers were asked, this one included.
	Attempts int
}

// discard ends an answer that isn't handed on.
func (r *Response) discard() {
	if r != nil && r.Stream != nil {
		_ = r.Stream.Close()
	}
}

// maxPresized bounds what is allocated on the word of a Content-Length alone.
const maxPresized = 1 << 20

// readBody reads the body of res up to limit bytes. If there is more, it returns what it has and whole=false.
func readBody(res *http.Response, limit int64, dog *watchdog) (body []byte, whole bool, err error) {
	n := res.ContentLength
	switch {
	case n > limit:
		return nil, false, nil
	case n >= 0 && n <= maxPresized:
		body = make([]byte, n)
		for got := 0; got < len(body); {
			k, err := res.Body.Read(body[got:])
			if got += k; err != nil && got < len(body) {
				return nil, false, truncated(err)
			}
			dog.progress()
		}
		return body, true, nil
	}
	var buf bytes.Buffer
	for {
		buf.Grow(max(4096, bytes.MinRead))
		free := buf.AvailableBuffer()
		k, err := res.Body.Read(free[:cap(free)])
		buf.Write(free[:k])
		switch {
		case err == io.EOF:
			return buf.Bytes(), true, nil
		case err != nil:
			return nil, false, err
		case int64(buf.Len()) > limit:
			return buf.Bytes(), false, nil
		}
		dog.progress()
	}
}

// isParseError reports whether the body of a 500 is an error that Parse tells of: a JSON object with a code, a message or,
// as GraphQL has it, errors.
func isParseError(body []byte) bool {
	var e struct{ Code, Error, Message, Errors json.RawMessage }
	return json.Unmarshal(body, &e) == nil && (e.Code != nil || e.Error != nil || e.Message != nil || e.Errors != nil)
}

func truncated(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// bodyless tells whether an answer has no body whatever its header says.
func bodyless(method string, status int) bool {
	return method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified
}

// stream hands on the body of an answer while the worker is still sending it.
type stream struct {
	ctx    context.Context // the caller's
	prefix []byte
	body   io.ReadCloser
	dog    *watchdog
	once   sync.Once
	closed atomic.Bool
	lost   atomic.Bool     // the worker failed, while somebody wanted more
	finish func(lost bool) // frees the worker's place
}

func (s *stream) Read(p []byte) (int, error) {
	if len(s.prefix) > 0 {
		n := copy(p, s.prefix)
		s.prefix = s.prefix[n:]
		return n, nil
	}
	s.dog.progress()
	n, err := s.body.Read(p)
	s.dog.pause() // until the client wants more
	if err != nil && err != io.EOF {
		if s.dog.barked() {
			err = errSilent
		}
		if s.ctx.Err() == nil && !s.closed.Load() {
			s.lost.Store(true)
		}
	}
	return n, err
}

func (s *stream) Close() error {
	var err error
	s.once.Do(func() {
		s.closed.Store(true) // a Read that this ends is nobody's failure
		s.dog.stop()
		err = s.body.Close()
		s.finish(s.lost.Load())
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
