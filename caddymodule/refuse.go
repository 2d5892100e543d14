package caddymodule

import (
	"net/http"
	"strconv"

	"github.com/parsescale/parsescale/server/query"
)

// refusal is an answer that the gateway gives by itself, in Parse's error form.
type refusal struct {
	status  int
	code    int // Parse's error code; 0: none
	message string
}

// What the gateway refuses by itself. The SDKs repeat a 5xx up to five times and don't repeat a 4xx, so only the case
// that another attempt may cure is a 5xx.
var (
	tooLarge = refusal{http.StatusRequestEntityTooLarge, 0, "request entity too large"}
	aborted  = refusal{http.StatusBadRequest, 0, "request aborted"}
	tooSlow  = refusal{http.StatusRequestTimeout, 0, "request timeout"}
	notFound = refusal{http.StatusNotFound, 0, "not found"}
	tooMany  = refusal{http.StatusTooManyRequests, 100, "Too many requests."}
	// As parse-server's own refusals for too many requests, so that clients handle both alike.
	overloaded = refusal{http.StatusTooManyRequests, 100, "The server is busy. Try again later."}
	// What a compressed batch holds can't be counted without unpacking it, and no SDK sends one.
	uncountable    = refusal{http.StatusUnsupportedMediaType, 0, "a compressed batch is not accepted where requests are limited"}
	noWorker       = refusal{http.StatusServiceUnavailable, 100, "No Parse worker is available. Try again later."}
	outcomeUnknown = refusal{http.StatusBadRequest, 100, "The server failed while it handled the write, which may or may not have been applied."}
	// As RFC 9111 has it, section 5.2.1.7.
	notStored   = refusal{http.StatusGatewayTimeout, 0, "not in the cache"}
	timedOut    = refusal{http.StatusBadRequest, 124, "The request timed out."}
	noLiveQuery = refusal{http.StatusNotImplemented, 108, "LiveQuery is not available on bundled workers."}
)

// The CORS headers of parse-server, for the answers that no worker gives. Browsers hide an answer without them.
const (
	corsMethods = "GET,PUT,POST,DELETE,OPTIONS"
	corsHeaders = "X-Parse-Master-Key, X-Parse-REST-API-Key, X-Parse-Javascript-Key, X-Parse-Application-Id, X-Parse-Client-Version, X-Parse-Session-Token, X-Requested-With, X-Parse-Revocable-Session, X-Parse-Request-Id, Content-Type, Pragma, Cache-Control"
	corsExpose  = "X-Parse-Job-Status-Id, X-Parse-Push-Status-Id, Retry-After, RateLimit, RateLimit-Policy"
)

// refuse answers the request itself. The verdict is what Cache-Status says.
func (x *exchange) refuse(e refusal, verdict string) {
	body := append([]byte(nil), '{')
	if e.code != 0 {
		body = append(body, `"code":`...)
		body = strconv.AppendInt(body, int64(e.code), 10)
		body = append(body, ',')
	}
	body = append(body, `"error":`...)
	body = query.AppendString(body, e.message)
	body = append(body, '}')
	h := x.w.Header()
	h["Access-Control-Allow-Origin"] = []string{"*"}
	h["Access-Control-Allow-Methods"] = []string{corsMethods}
	h["Access-Control-Allow-Headers"] = []string{corsHeaders}
	h["Access-Control-Expose-Headers"] = []string{corsExpose}
	h["Content-Type"] = []string{"application/json; charset=utf-8"}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	setCacheStatus(h, verdict)
	x.answers(e.status, refused)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(body) // the client may be gone; there is nobody left to tell
	}
}

// setCacheStatus says what the cache had to do with an answer (RFC 9211).
func setCacheStatus(h http.Header, verdict string) {
	h["Cache-Status"] = []string{"parsescale; " + verdict}
}
