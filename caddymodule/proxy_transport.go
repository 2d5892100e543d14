package caddymodule

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/parsescale/parsescale/caddymodule/inspect"
	"github.com/parsescale/parsescale/caddymodule/peakewma"
	"github.com/parsescale/parsescale/policies/upstream"
)

// Transport sends the requests of a reverse_proxy to the workers that its parse_pool tells of, as the handler parse does: who the
// client is comes from Caddy alone, writes have ids and are announced to the app's cache, the app's admission and breakers
// count, and what no worker has answered is answered in Parse's form. The upstream that the reverse_proxy has chosen is
// asked first. If it fails, another one is asked where that is safe; so there is no need for lb_retries.
type Transport struct {
	// MaxBody is the largest request body in bytes, files included; a larger one is refused with 413.
	// Default: 20971520 (20 MB, as parse-server's maxUploadSize).
	MaxBody int64 `json:"max_body,omitempty"`

	handler *Handler // by PoolUpstreams
}

// CaddyModule returns the Caddy module information.
func (Transport) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.reverse_proxy.transport.parse", New: func() caddy.Module { return new(Transport) }}
}

// UnmarshalCaddyfile reads:
//
//	transport parse {
//		max_body <size>
//	}
func (t *Transport) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the transport's name
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if name := d.Val(); name != "max_body" {
			return d.Errf("unknown setting %q of the transport parse; known is max_body", name)
		}
		if err := onceSize(d, &t.MaxBody); err != nil {
			return err
		}
	}
	return nil
}

// Provision checks that there are workers to send to.
func (t *Transport) Provision(ctx caddy.Context) error {
	proxy, err := proxyAround(ctx)
	if err != nil {
		return err
	}
	var source struct {
		Source string `json:"source"`
	}
	if json.Unmarshal(proxy.DynamicUpstreamsRaw, &source) != nil || source.Source != "parse_pool" {
		return errors.New("the transport parse sends to the workers of an app: add `dynamic parse_pool` to its reverse_proxy")
	}
	return nil
}

// Choose implements peakewma.Chooser: the app's pool chooses, by its setting balance.
func (t *Transport) Choose(from reverseproxy.UpstreamPool) *reverseproxy.Upstream {
	pool := t.handler.routes[0].pool
	byName := make(map[string]*reverseproxy.Upstream, len(from))
	var last *reverseproxy.Upstream
	members := pool.Members()
	for _, u := range from {
		if !u.Available() {
			continue
		}
		last = u
		if name := memberAt(members, u.Dial); name != "" {
			byName[name] = u
		}
	}
	if name := pool.Pick(func(name string) bool { return byName[name] != nil }); name != "" {
		return byName[name]
	}
	return last // the transport waits for a worker
}

// memberAt names the member at an address as Caddy has it, "" if there is none.
func memberAt(members []upstream.Member, dial string) string {
	for _, m := range members {
		if dialled(m.Address) == dial {
			return m.Name
		}
	}
	return ""
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	h := t.handler
	rest, below := inspect.Below(r.URL.EscapedPath(), h.Mount)
	refused := &refusedAnswer{header: http.Header{}}
	x := exchange{handler: h, route: h.routes[0], w: refused, r: r, path: rest, ip: clientIP(r), begun: time.Now(), behindProxy: behindProxy(r)}
	if !below {
		x.refuse(notFound, "fwd=bypass; detail=outside-mount")
		return refused.response(r), nil
	}
	if info, ok := reverseproxy.GetDialInfo(r.Context()); ok && info.Upstream != nil {
		x.worker = memberAt(x.route.pool.Members(), info.Upstream.Dial)
	}
	stripInternal(r.Header)
	defer x.count(time.Now())
	if !x.readBodyOnce() {
		return refused.response(r), nil
	}
	x.classify()
	if isUpgrade(r) {
		if res := x.upgraded(); res != nil {
			return res, nil
		}
		return refused.response(r), nil
	}
	if !isInside(r) {
		if !x.pass() { // another process has the workers by now
			return refused.response(r), nil
		}
		defer x.out()
	}
	if x.again() {
		x.fail(upstream.ErrOutcomeUnknown, "fwd=method")
		return refused.response(r), nil
	}
	var a answer
	if x.req.Write && !x.route.bundled() {
		a = x.forwardWrite()
	} else {
		a = x.forward(r.Context())
	}
	if a.err != nil {
		if errors.Is(a.err, context.Canceled) {
			return nil, a.err // nobody is listening
		}
		x.fail(a.err, "fwd=bypass")
		return refused.response(r), nil
	}
	x.status, x.source = a.Status, bypass
	stripInternal(a.Header)
	res := response(r, a.Status, a.Header, io.NopCloser(bytes.NewReader(a.Body)), int64(len(a.Body)))
	if a.Stream != nil {
		res.Body, res.ContentLength = a.Stream, a.Length
	}
	return res, nil
}

func response(r *http.Request, status int, h http.Header, body io.ReadCloser, length int64) *http.Response {
	return &http.Response{
		Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: body, ContentLength: length, Request: r,
	}
}

// sent is a request that was sent. The reverse_proxy may want to send it again, when its body has been read.
type sent struct {
	url       *url.URL // the same of all attempts of one reverse_proxy at one request
	body      []byte
	inspected []byte
	complete  bool
	attempts  int
}

const sentVar = "parsescale.transport.sent"

// readBodyOnce is readBody, but for a request that was sent before it gives the body that it had.
func (x *exchange) readBodyOnce() bool {
	if s := x.sent(); s != nil {
		s.attempts++
		x.body, x.inspected, x.complete = s.body, s.inspected, s.complete
		return true
	}
	if !x.readBody() {
		return false
	}
	caddyhttp.SetVar(x.r.Context(), sentVar, &sent{x.r.URL, x.body, x.inspected, x.complete, 1})
	return true
}

func (x *exchange) sent() *sent {
	if s, ok := caddyhttp.GetVar(x.r.Context(), sentVar).(*sent); ok && s.url == x.r.URL {
		return s
	}
	return nil
}

// again reports whether this is a write that was sent before. All that can be done to have it done once was done then.
func (x *exchange) again() bool { return x.req.Write && x.sent().attempts > 1 }

// upgraded connects a WebSocket with one worker; nil if the request was refused.
func (x *exchange) upgraded() *http.Response {
	const verdict = "fwd=bypass; detail=upgrade"
	if x.route.bundled() {
		x.refuse(noLiveQuery, verdict)
		return nil
	}
	if successor.Load() != nil { // the client makes a new connection, and reaches the process that answers now
		x.refuse(noWorker, verdict)
		return nil
	}
	lease, err := x.route.pool.Lease(x.r.Context())
	if err != nil {
		x.fail(err, verdict)
		return nil
	}
	out := x.r.Clone(x.r.Context())
	out.URL.Scheme, out.URL.Host = lease.URL.Scheme, lease.URL.Host
	x.prepare(out.Header, &lease.Target)
	res, err := lease.RoundTrip(out)
	if err != nil {
		lease.Release()
		x.fail(err, verdict)
		return nil
	}
	stripInternal(res.Header)
	if both, ok := res.Body.(io.ReadWriteCloser); ok {
		res.Body = &upgradedBody{both, lease.Release}
	} else {
		res.Body = &leasedBody{res.Body, lease.Release}
	}
	return res
}

// upgradedBody is the connection of a WebSocket, leasedBody the body of an answer that refuses one. Closing them frees the
// worker's place.
type (
	upgradedBody struct {
		io.ReadWriteCloser
		release func()
	}
	leasedBody struct {
		io.ReadCloser
		release func()
	}
)

// Close implements io.Closer.
func (b *upgradedBody) Close() error {
	b.release()
	return b.ReadWriteCloser.Close()
}

// Close implements io.Closer.
func (b *leasedBody) Close() error {
	b.release()
	return b.ReadCloser.Close()
}

// refusedAnswer is the answer that the gateway gives by itself.
type refusedAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *refusedAnswer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *refusedAnswer) WriteHeader(status int) { a.status = status }

// Write implements http.ResponseWriter.
func (a *refusedAnswer) Write(b []byte) (int, error) { return a.body.Write(b) }

func (a *refusedAnswer) response(r *http.Request) *http.Response {
	return response(r, a.status, a.header, io.NopCloser(&a.body), int64(a.body.Len()))
}

var (
	_ caddy.Provisioner     = (*Transport)(nil)
	_ caddyfile.Unmarshaler = (*Transport)(nil)
	_ http.RoundTripper     = (*Transport)(nil)
	_ peakewma.Chooser      = (*Transport)(nil)
)
