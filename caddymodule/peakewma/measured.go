package peakewma

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/parsescale/parsescale/policies/balance"
)

// measured is a transport whose attempts are measured. Caddy tells a policy of none, so this is where they are seen.
type measured struct {
	http.RoundTripper
	table *table
}

// RoundTrip implements http.RoundTripper.
func (m *measured) RoundTrip(r *http.Request) (*http.Response, error) {
	info, ok := reverseproxy.GetDialInfo(r.Context())
	if !ok || info.Upstream == nil || r.Context().Value(caddyhttp.VarsCtxKey) == nil { // a health check
		return m.RoundTripper.RoundTrip(r)
	}
	node := m.table.node(info.Upstream.String())
	began := m.table.now()
	code := runsCode(r.URL.Path)
	begin, end := node.Begin, node.End
	if code {
		begin, end = node.BeginUntimed, node.EndUntimed
	}
	begin()
	ended := false
	defer func() {
		if !ended { // the transport has panicked
			end(0, balance.Ignored)
		}
	}()
	res, err := m.RoundTripper.RoundTrip(r)
	latency := m.table.now().Sub(began)
	outcome := balance.Success
	switch {
	case err != nil && r.Context().Err() != nil: // the client has left
		outcome = balance.Ignored
	case err != nil, res.StatusCode == http.StatusBadGateway, res.StatusCode == http.StatusServiceUnavailable, res.StatusCode == http.StatusGatewayTimeout:
		outcome = balance.Failure
		caddyhttp.SetVar(r.Context(), triedVar, append(slices.Clip(tried(r)), node))
	case res.StatusCode == http.StatusSwitchingProtocols, code:
		outcome = balance.Ignored
	}
	ended = true
	if err != nil || res.StatusCode == http.StatusSwitchingProtocols || res.Body == nil {
		end(latency, outcome)
		return res, err
	}
	if !code {
		node.Answered(latency, outcome)
		outcome = balance.Ignored // from now on
	}
	res.Body = &answerBody{ReadCloser: res.Body, ctx: r.Context(), outcome: outcome, end: func(o balance.Outcome) { node.EndUntimed(latency, o) }}
	return res, nil
}

// runsCode reports whether how long an answer takes says nothing of the worker: cloud code takes what it takes.
func runsCode(path string) bool {
	return strings.Contains(path, "/functions/") || strings.Contains(path, "/jobs/")
}

// answerBody is the body of an answer: the request is under way until it is closed, and has failed if the answer breaks off.
type answerBody struct {
	io.ReadCloser
	ctx     context.Context // the client's
	outcome balance.Outcome // unless it breaks off
	lost    atomic.Bool
	once    sync.Once
	end     func(balance.Outcome)
}

// Read implements io.Reader.
func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF && b.ctx.Err() == nil {
		b.lost.Store(true)
	}
	return n, err
}

// Close implements io.Closer.
func (b *answerBody) Close() error {
	b.once.Do(func() {
		o := b.outcome
		if b.lost.Load() {
			o = balance.Failure
		}
		b.end(o)
	})
	return b.ReadCloser.Close()
}

// What reverse_proxy asks of a transport at run time is what the one below says.

// ProxyProtocolEnabled implements reverseproxy.ProxyProtocolTransport.
func (m *measured) ProxyProtocolEnabled() bool {
	t, ok := m.RoundTripper.(reverseproxy.ProxyProtocolTransport)
	return ok && t.ProxyProtocolEnabled()
}

// OverrideHealthCheckScheme implements reverseproxy.HealthCheckSchemeOverriderTransport.
func (m *measured) OverrideHealthCheckScheme(base *url.URL, port string) {
	if t, ok := m.RoundTripper.(reverseproxy.HealthCheckSchemeOverriderTransport); ok {
		t.OverrideHealthCheckScheme(base, port)
	}
}

// RequiresContentLength implements reverseproxy.ContentLengthRequiredTransport.
func (m *measured) RequiresContentLength() bool {
	t, ok := m.RoundTripper.(reverseproxy.ContentLengthRequiredTransport)
	return ok && t.RequiresContentLength()
}

// RequestHeaderOps implements reverseproxy.RequestHeaderOpsTransport.
func (m *measured) RequestHeaderOps() *headers.HeaderOps {
	if t, ok := m.RoundTripper.(reverseproxy.RequestHeaderOpsTransport); ok {
		return t.RequestHeaderOps()
	}
	return nil
}

// TLSEnabled implements reverseproxy.TLSTransport.
func (m *measured) TLSEnabled() bool {
	t, ok := m.RoundTripper.(reverseproxy.TLSTransport)
	return ok && t.TLSEnabled()
}

// EnableTLS implements reverseproxy.TLSTransport.
func (m *measured) EnableTLS(base *reverseproxy.TLSConfig) error {
	if t, ok := m.RoundTripper.(reverseproxy.TLSTransport); ok {
		return t.EnableTLS(base)
	}
	return nil
}

var (
	_ reverseproxy.ProxyProtocolTransport              = (*measured)(nil)
	_ reverseproxy.HealthCheckSchemeOverriderTransport = (*measured)(nil)
	_ reverseproxy.ContentLengthRequiredTransport      = (*measured)(nil)
	_ reverseproxy.RequestHeaderOpsTransport           = (*measured)(nil)
	_ reverseproxy.TLSTransport                        = (*measured)(nil)
)
