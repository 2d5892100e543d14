package handover

import (
	"crypto/tls"
	"net"
	"net/http"
	"reflect"
	"sync"
	"sync/atomic"
)

// Staying counts the connections of a server that can't be handed over, and that nothing tells to go elsewhere: those above TLS, and
// those that others than a desk have wrapped. HTTP/2 does tell its clients when a server ends. The zero value counts none.
type Staying struct {
	conns sync.Map // net.Conn → *staying
	n     atomic.Int64
}

// staying is one of these connections.
type staying struct {
	asked atomic.Bool // what it speaks is known
}

// Open is how many there are.
func (s *Staying) Open() int { return int(s.n.Load()) }

// Tell takes note of a connection's state; it has the form of http.Server.ConnState.
func (s *Staying) Tell(c net.Conn, state http.ConnState) {
	if own := find(c); own != nil {
		own.become(state)
		return
	}
	switch state {
	case http.StateNew:
		if _, twice := s.conns.LoadOrStore(c, new(staying)); !twice {
			s.n.Add(1)
		}
	case http.StateActive:
		// Before, the handshake hasn't ended, and asking would wait for it.
		if v, ok := s.conns.Load(c); ok && !v.(*staying).asked.Swap(true) && speaksHTTP2(c) {
			s.Forget(c)
		}
	case http.StateClosed, http.StateHijacked:
		s.Forget(c)
	}
}

// Stays reports whether a connection can't be handed over by what it is.
func Stays(c net.Conn) bool { return find(c) == nil }

// Forget doesn't count a connection any more.
func (s *Staying) Forget(c net.Conn) {
	if _, ok := s.conns.LoadAndDelete(c); ok {
		s.n.Add(-1)
	}
}

// find looks for a connection of a desk in what a server was given.
func find(c net.Conn) *conn {
	for c != nil {
		if own, ok := c.(*conn); ok {
			return own
		}
		c = unwrap(c)
	}
	return nil
}

// speaksHTTP2 reports whether that was agreed on with TLS.
func speaksHTTP2(c net.Conn) bool {
	for c != nil {
		if secure, ok := c.(interface{ ConnectionState() tls.ConnectionState }); ok {
			return secure.ConnectionState().NegotiatedProtocol == "h2"
		}
		c = unwrap(c)
	}
	return false
}

// caddyhttp has types that Caddy puts around connections to know HTTP/2 by how it begins, and to hide that TLS is below. They embed
// what is below, pass everything on, and have no method that returns it.
const caddyhttp = "github.com/caddyserver/caddy/v2/modules/caddyhttp"

// unwrap returns what Caddy has put one of these around, nil for other connections: those may hold what they have read.
func unwrap(c net.Conn) net.Conn {
	v := reflect.Indirect(reflect.ValueOf(c))
	if v.Kind() != reflect.Struct || v.Type().PkgPath() != caddyhttp || v.Type().Name() != "http2Conn" && v.Type().Name() != "tlsStateConn" {
		return nil
	}
	below := v.FieldByName("Conn")
	if !below.IsValid() || !below.CanInterface() {
		return nil
	}
	inner, _ := below.Interface().(net.Conn)
	return inner
}
