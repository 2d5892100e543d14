package caddymodule

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/parsescale/parsescale/policies/upstream"
)

// prepare makes the header of one attempt as its worker may believe it: who the client is comes from Caddy alone.
// Whatever the client said about that is replaced, not added to. Only a proxy that Caddy trusts is believed which scheme and host the
// client asked for: Caddy itself doesn't know.
func (x *exchange) prepare(h http.Header, t *upstream.Target) {
	proto, host := cameBy(x.r, h, x.behindProxy)
	for _, name := range [...]string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"} {
		delete(h, name)
	}
	h["X-Forwarded-Proto"] = []string{proto}
	h["X-Forwarded-Host"] = []string{host}
	h["X-Forwarded-For"] = []string{x.ip}
	if t.Kind == upstream.Bundled {
		h["X-Parsescale-Client-Ip"] = []string{x.ip}
	}
	if x.cacheable() {
		// The whole answer is wanted, as it is: the gateway compares ETags by itself, and what is stored is not encoded.
		delete(h, "If-None-Match")
		delete(h, "If-Modified-Since")
		delete(h, "Accept-Encoding")
	}
}

// cameBy is the scheme and host by which the client came, by a header of its request.
func cameBy(r *http.Request, h http.Header, behindProxy bool) (proto, host string) {
	proto, host = "http", r.Host
	if r.TLS != nil {
		proto = "https"
	}
	if behindProxy {
		proto, host = lastOr(h["X-Forwarded-Proto"], proto), lastOr(h["X-Forwarded-Host"], host)
	}
	return proto, host
}

// lastOr is the last value of a field, or the other one if it has none.
func lastOr(values []string, other string) string {
	if n := len(values); n > 0 {
		list := strings.Split(values[n-1], ",")
		if v := strings.TrimSpace(list[len(list)-1]); v != "" {
			return v
		}
	}
	return other
}

// behindProxy reports whether one of Caddy's trusted_proxies sent the request.
func behindProxy(r *http.Request) bool {
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return trusted
}

// clientIP is the client's address as Caddy sees it, with trusted_proxies obeyed.
func clientIP(r *http.Request) string {
	ip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	return ip
}
