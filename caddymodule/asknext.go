package caddymodule

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strconv"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/parsescale/parsescale/policies/upstream"
)

// nextError is what the next handler returned in the place of an answer.
type nextError struct{ error }

// Is makes a failure to reach a worker look like that of the pool.
func (e *nextError) Is(target error) bool {
	var failed caddyhttp.HandlerError
	return target == upstream.ErrNoWorker && errors.As(e.error, &failed) && unavailable(failed.StatusCode)
}

// askNext has the next handler answer in the place of a worker. The whole answer is wanted, as it is, so that it can be stored.
func (x *exchange) askNext(ctx context.Context) answer {
	r := x.r.WithContext(ctx)
	r.Header = maps.Clone(x.r.Header)
	for _, name := range [...]string{"If-None-Match", "If-Modified-Since", "Accept-Encoding"} {
		delete(r.Header, name)
	}
	rec := &recorder{x: x, header: http.Header{}}
	if err := x.next.ServeHTTP(rec, r); err != nil {
		if rec.direct {
			x.failed = err
			return answer{Response: &upstream.Response{Status: rec.status}, relayed: true, unfit: true}
		}
		return answer{err: &nextError{err}}
	}
	a := rec.answer()
	if a.Status/100 == 2 && !a.relayed {
		x.learn(answerOf(a.Response))
	}
	return a
}

// recorder keeps an answer of the next handler. One that is too large to be stored goes on to the client as it comes.
type recorder struct {
	x      *exchange
	header http.Header
	sent   http.Header // as it was with the status
	status int         // 0: none yet
	body   []byte
	direct bool // the client gets it
}

// Header implements http.ResponseWriter.
func (c *recorder) Header() http.Header { return c.header }

// WriteHeader implements http.ResponseWriter.
func (c *recorder) WriteHeader(status int) {
	if status >= 200 && c.status == 0 {
		c.status = status
		c.sent = c.header.Clone() // as with any ResponseWriter, what is changed from now on, such as a trailer, doesn't count
	}
}

// Write implements http.ResponseWriter.
func (c *recorder) Write(b []byte) (int, error) {
	c.WriteHeader(http.StatusOK)
	if !c.direct && int64(len(c.body)+len(b)) > c.x.route.maxEntry {
		c.direct = true
		if c.x.filling != nil {
			c.x.filling.Abandon() // nobody else waits for this client to take its answer
		}
		a := answer{Response: &upstream.Response{Status: c.status, Header: c.cleaned(), Body: c.body}, begun: true}
		c.x.relay(a, "fwd=miss; detail=too-large")
		c.body = nil
	}
	if c.direct {
		return c.x.w.Write(b)
	}
	c.body = append(c.body, b...)
	return len(b), nil
}

// Flush does nothing: the answer is wanted as a whole.
func (c *recorder) Flush() {}

// cleaned is the header without what only our own workers may say.
func (c *recorder) cleaned() http.Header {
	stripInternal(c.sent)
	return c.sent
}

func (c *recorder) answer() answer {
	c.WriteHeader(http.StatusOK) // as Caddy does if no handler answers
	a := answer{Response: &upstream.Response{Status: c.status, Header: c.cleaned(), Body: c.body}, relayed: c.direct}
	if c.body == nil {
		a.Body = []byte{}
	}
	if text := c.sent.Get("Content-Length"); !c.direct && c.x.r.Method != http.MethodHead && c.status != http.StatusNotModified &&
		text != "" && text != strconv.Itoa(len(c.body)) {
		panic(http.ErrAbortHandler) // the client must not take the part for the whole
	}
	a.unfit = c.direct || c.sent["Content-Encoding"] != nil
	return a
}
