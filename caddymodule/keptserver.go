package caddymodule

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/parsescale/parsescale/caddymodule/handover"
)

// keptServer is a server whose connections are kept, as far as they can be, when its configuration ends.
type keptServer struct {
	staying handover.Staying
	// leaving says whose clients are to make their next request on another connection.
	leaving  atomic.Int32
	attached sync.Once
}

// What keptServer.leaving may be.
const (
	nobody   int32 = iota
	whoStays       // whose connection can't be handed over
	everybody
)

// staysKey is in the context of requests on a connection that can't be handed over, with the connection.
type staysKey struct{}

// attach has answers of all of the server's sites say so. It is a hook for new connections, the first that is given the server which
// Caddy makes of its own; none is served before.
func (k *keptServer) attach(ctx context.Context, c net.Conn) context.Context {
	k.attached.Do(func() {
		if server, ok := ctx.Value(http.ServerContextKey).(*http.Server); ok {
			server.Handler = k.wrap(server.Handler)
		}
	})
	if handover.Stays(c) {
		return context.WithValue(ctx, staysKey{}, c)
	}
	return ctx
}

func (k *keptServer) wrap(inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if stays, ok := r.Context().Value(staysKey{}).(net.Conn); ok && r.ProtoMajor > 1 {
			k.staying.Forget(stays) // without TLS it isn't known before
		}
		if k.leaves(r) {
			w.Header()["Connection"] = []string{"close"}
		}
		inner.ServeHTTP(w, r)
	})
}

// leaves reports whether the client is to leave. HTTP/2 and 3 have their own way to say so, and an upgrade takes the connection away.
func (k *keptServer) leaves(r *http.Request) bool {
	leaving := k.leaving.Load()
	if leaving == nobody || r.ProtoMajor != 1 || r.Method == http.MethodConnect {
		return false
	}
	if upgrade := r.Header.Get("Upgrade"); upgrade != "" && upgrade != "h2c" { // that one is offered with ordinary requests
		return false
	}
	return leaving == everybody || r.Context().Value(staysKey{}) != nil
}
