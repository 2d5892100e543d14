package caddymodule

import (
	"net/http"
	"net/http/httputil"

	"go.uber.org/zap"
)

// upgrade connects a WebSocket, such as a LiveQuery client's, with one worker for as long as it lasts.
func (x *exchange) upgrade() {
	if x.route.bundled() {
		x.refuse(noLiveQuery, "fwd=bypass; detail=upgrade")
		return
	}
	lease, err := x.route.pool.Lease(x.r.Context())
	if err != nil {
		x.fail(err, "fwd=bypass; detail=upgrade")
		return
	}
	failed := false
	defer func() { lease.Release(failed) }()
	proxy := httputil.ReverseProxy{
		Transport: lease.Transport,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(lease.URL)
			p.Out.Host = p.In.Host
			x.prepare(p.Out.Header, &lease.Target)
		},
		ModifyResponse: func(res *http.Response) error {
			stripInternal(res.Header)
			setCacheStatus(res.Header, "fwd=bypass; detail=upgrade")
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) {
			failed = x.r.Context().Err() == nil
			x.handler.logger.Warn("cannot connect a WebSocket", zap.String("worker", lease.Target.Name), zap.Error(err))
			x.refuse(noWorker, "fwd=bypass; detail=upgrade")
		},
	}
	proxy.ServeHTTP(x.w, x.r)
}
