package caddymodule

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/parsescale/parsescale/policies/ratelimit"
	"github.com/parsescale/parsescale/policies/request"
)

// handOn has the next handler answer the client. What a write may change is announced to the cache first, and until the next
// handler is done nothing of it is served or stored.
func (x *exchange) handOn(verdict string) {
	if x.req.Write {
		finish := x.route.cache.Prepare(x.changes())
		defer finish() // also if the handler panics
	}
	p := &passing{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: x.w}, x: x, verdict: verdict}
	if x.failed = x.next.ServeHTTP(p, x.r); x.failed != nil {
		return
	}
	switch {
	case p.hit:
		x.giveBack()
	case x.status/100 == 2:
		x.learn(ratelimit.Answer{Body: p.body.Bytes()})
	}
}

// passing is the way of an answer from the next handler to the client.
type passing struct {
	*caddyhttp.ResponseWriterWrapper
	x       *exchange
	verdict string

	begun bool
	hit   bool         // the answer comes from a cache of ours
	body  bytes.Buffer // of an answer that tells whose session token it is
}

// WriteHeader implements http.ResponseWriter.
func (p *passing) WriteHeader(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols {
		p.ResponseWriter.WriteHeader(status)
		return
	}
	if p.begun {
		return
	}
	p.begun = true
	h := p.Header()
	stripInternal(h)
	p.hit = strings.HasPrefix(h.Get("Cache-Status"), "parsescale; hit")
	p.x.expose(h)
	if p.x.route.caching {
		setCacheStatus(h, p.verdict)
	}
	p.x.answers(status, bypass)
}

func (p *passing) begin() {
	if !p.begun {
		p.WriteHeader(http.StatusOK)
	}
}

// tells reports whether the answer is one that names a user, which rate limits by user need.
func (p *passing) tells() bool {
	if p.x.route.limits == nil {
		return false
	}
	switch p.x.req.Op {
	case request.LogIn, request.SignUp, request.Me:
		return p.body.Len() <= inspectAnswer
	}
	return false
}

// inspectAnswer is how much of such an answer is kept, in bytes; no user is larger.
const inspectAnswer = 1 << 20

// Write implements http.ResponseWriter.
func (p *passing) Write(b []byte) (int, error) {
	p.begin()
	if p.tells() {
		p.body.Write(b)
	}
	return p.ResponseWriter.Write(b)
}

// ReadFrom implements io.ReaderFrom.
func (p *passing) ReadFrom(r io.Reader) (int64, error) {
	p.begin()
	if p.tells() {
		return io.Copy(struct{ io.Writer }{p}, r)
	}
	return p.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError is what http.ResponseController calls.
func (p *passing) FlushError() error {
	p.begin()
	return http.NewResponseController(p.ResponseWriter).Flush() //nolint:bodyclose // it has no body
}
