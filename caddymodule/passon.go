package caddymodule

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httputil"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/parsescale/parsescale/caddymodule/succession"
)

// pass lets the request in; whoever gets true has to call out. While another process takes the place of this one
// the request waits, and then that process answers it.
func (x *exchange) pass() bool {
	in, err := entrance.Enter(x.r.Context())
	switch {
	case err != nil:
		x.answers(499, refused) // nobody is listening
	case !in:
		x.passOn(successor.Load())
	}
	x.inside = in
	return in
}

// out says that the request asks nothing any more, of a worker or a cache. The client may take its time for an answer that is
// there as a whole: nobody else waits for that. Calls after the first do nothing.
func (x *exchange) out() {
	if x.inside {
		x.inside = false
		entrance.Leave()
	}
}

// insideKey is in the context of a request that a handler has let in, for the handlers after it: who is inside must not wait
// at the entrance again, where it may be about to be shut.
type insideKey struct{}

func isInside(r *http.Request) bool { return r.Context().Value(insideKey{}) != nil }

func markInside(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), insideKey{}, true))
}

// passOn has the process that took the place of this one answer the request.
func (x *exchange) passOn(to *succession.Successor) {
	srv, _ := x.r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	said := about{Remote: x.r.RemoteAddr, TLS: x.r.TLS != nil}
	if srv != nil {
		said.Listen = srv.Listen
	}
	if !x.streamed {
		x.r.Body, x.r.ContentLength = io.NopCloser(bytes.NewReader(x.body)), int64(len(x.body))
	}
	proxy := httputil.ReverseProxy{
		Transport: &http.Transport{
			DisableKeepAlives: true, DisableCompression: true,
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				b, err := json.Marshal(said)
				if err != nil {
					return nil, err
				}
				return to.Connect(b)
			},
		},
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = "http", "successor", p.In.Host
			for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
				if v, ok := p.In.Header[name]; ok {
					p.Out.Header[name] = v
				}
			}
		},
		ModifyResponse: func(res *http.Response) error {
			if x.r.TLS == nil {
				return nil
			}
			// Other connections are given away, but these have to be made anew; and by TCP, where the queue is shared.
			if x.r.ProtoMajor < 3 { // there such a header makes the answer malformed
				res.Header.Set("Connection", "close")
			}
			res.Header.Set("Alt-Svc", "clear")
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) {
			x.handler.logger.Error("cannot pass a request on", zap.Error(err))
			if x.req.Write {
				x.refuse(outcomeUnknown, "fwd=bypass; detail=upgrade")
				return
			}
			x.refuse(noWorker, "fwd=bypass; detail=upgrade")
		},
	}
	proxy.ServeHTTP(x.w, x.r)
}
