package caddymodule

import (
	"net/http"
	"net/http/httputil"
	"strings"

	"go.uber.org/zap"
)

// upgrade connects a WebSocket, such as a LiveQuery client's, with one worker for as long as it lasts.
func (x *exchange) upgrade() {
	if x.route.bundled() {
		x.refuse(noLiveQuery, "fwd=bypass; detail=upgrade")
		return
	}
	if successor.Load() != nil { // the client makes a new connection, and reaches the process that answers now
		x.refuse(noWorker, "fwd=bypass; detail=upgrade")
		return
	}
	lease, err := x.route.pool.Lease(x.r.Context())
	if err != nil {
		x.fail(err, "fwd=bypass; detail=upgrade")
		return
	}
	defer lease.Release()
	proxy := httputil.ReverseProxy{
		Transport: lease,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(lease.URL)
			p.Out.Host = p.In.Host
			for _, name := range [...]string{"X-Forwarded-Proto", "X-Forwarded-Host"} { // which are gone by now
				if v := p.In.Header[name]; v != nil {
					p.Out.Header[name] = v
				}
			}
			x.prepare(p.Out.Header, &lease.Target)
		},
		ModifyResponse: func(res *http.Response) error {
			stripInternal(res.Header)
			setCacheStatus(res.Header, "fwd=bypass; detail=upgrade")
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) {
			x.handler.logger.Warn("cannot connect a WebSocket", zap.String("worker", lease.Target.Name), zap.Error(err))
			x.refuse(noWorker, "fwd=bypass; detail=upgrade")
		},
	}
	proxy.ServeHTTP(x.route.sockets.Writer(x.w), x.r)
}

// isUpgrade reports whether the client wants a WebSocket. Whatever else asks for an upgrade is an ordinary request: it may
// be a write, or a read of a client that offers HTTP/2 with each (as Java's does).
func isUpgrade(r *http.Request) bool {
	if r.Method != http.MethodGet || r.ContentLength != 0 || !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return false
	}
	for name := range connectionOptions(r.Header) {
		if strings.EqualFold(name, "Upgrade") {
			return true
		}
	}
	return false
}
