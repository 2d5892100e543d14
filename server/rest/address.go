package rest

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/parsescale/parsescale/server/config"
)

// clientAddress finds out who is at the other end. By default that is the peer of the connection; behind trusted
// proxies it is the nearest address of X-Forwarded-For that isn't one of them. An address that can't be read is invalid
// and on no list.
func clientAddress(r *http.Request, trust *config.TrustProxy) netip.Addr {
	addr := peerAddress(r.RemoteAddr)
	trusted := func(a netip.Addr, hop int) bool { return trust.All || hop < trust.Hops || trust.Contains(a) }
	if !trusted(addr, 0) {
		return addr
	}
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	hop := 1
	for i := len(forwarded) - 1; i >= 0; i-- {
		text := strings.TrimSpace(forwarded[i])
		if text == "" {
			continue
		}
		a, err := netip.ParseAddr(text)
		if err != nil {
			return netip.Addr{}
		}
		addr = a.Unmap().WithZone("")
		if !trusted(addr, hop) {
			break
		}
		hop++
	}
	return addr
}

// peerAddress reads host:port. The peer of a unix socket has no address.
func peerAddress(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}
