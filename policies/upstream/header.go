package upstream

import (
	"net/http"
	"strings"
)

// WriteIDHeader carries a write's id to a bundled worker.
const WriteIDHeader = "X-Parsescale-Write-Id"

// FirstAttemptHeader says, by "1", that a write's id has been sent to no worker before: none needs to look for it. It is
// the first attempt that is marked, so that a worker whose gateway knows nothing of it looks.
const FirstAttemptHeader = "X-Parsescale-First-Attempt"

// DeadlineHeader tells a worker in how many milliseconds its answer to a read or a function is of no use any more.
const DeadlineHeader = "X-Parsescale-Deadline-Ms"

// ownPrefix begins the headers in which gateway and worker talk to each other; nobody else may send them.
const ownPrefix = "X-Parsescale-"

// hopByHop are the headers that concern one connection only (RFC 9110, section 7.6.1), and Expect: the gateway has
// read or is reading the body already.
var hopByHop = [...]string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect",
}

// outgoing returns a copy of h that the pool may change and send: without hop-by-hop headers and without anything in
// the gateway's own name space. The values are shared with h and must be replaced, not edited.
func outgoing(h http.Header) http.Header {
	out := make(http.Header, len(h)+4)
	for name, values := range h {
		if !isOwn(name) {
			out[name] = values[:len(values):len(values)] // so that an append can't write into the client's header
		}
	}
	removeHopByHop(out)
	if _, ok := out["User-Agent"]; !ok {
		out["User-Agent"] = noUserAgent // otherwise net/http makes one up
	}
	return out
}

var (
	noUserAgent = []string{""}
	isFirst     = []string{"1"}
)

func removeHopByHop(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name != "" {
				h.Del(name)
			}
		}
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
}

// incoming cleans the header of an answer in place.
func incoming(h http.Header, believed bool) {
	removeHopByHop(h)
	if believed {
		return
	}
	for name := range h {
		if isOwn(name) {
			delete(h, name)
		}
	}
}

func isOwn(name string) bool {
	return len(name) >= len(ownPrefix) && strings.EqualFold(name[:len(ownPrefix)], ownPrefix)
}

// hideIdempotencyKey keeps net/http from repeating a write by itself: it does so, on a connection that was used
// before, for any method if it finds one of these names in the header map. The name on the wire is the same to every
// reader, because HTTP doesn't distinguish case.
func hideIdempotencyKey(h http.Header) {
	for _, name := range [...]string{"Idempotency-Key", "X-Idempotency-Key"} {
		if v, ok := h[name]; ok {
			delete(h, name)
			h[strings.ToLower(name)] = v
		}
	}
}
