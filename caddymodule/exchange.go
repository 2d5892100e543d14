package caddymodule

import (
	"bytes"
	"errors"
	"net/http"
	"strings"

	"github.com/parsescale/parsescale/policies/admission"
	"github.com/parsescale/parsescale/policies/cache"
	"github.com/parsescale/parsescale/policies/ratelimit"
	"github.com/parsescale/parsescale/policies/request"
)

// exchange is one request on its way through the gateway.
type exchange struct {
	handler *Handler
	route   *route
	w       http.ResponseWriter
	r       *http.Request
	path    string // escaped, below the mount
	ip      string // the client's address
	// behindProxy: a proxy that Caddy trusts tells how the client came.
	behindProxy bool
	req         request.Request

	body      []byte // the whole body, unless it is streamed
	streamed  bool   // the body is passed on as it comes
	inspected []byte // what the classifier may look at
	complete  bool   // inspected is the whole body

	charged ratelimit.Charged
	rights  *cache.Rights // what the session token stands for; nil: nobody knows, or there is none
	key     cache.Key     // of the entry that was looked up and found

	seat   admission.Seat
	seated bool // seat has to be left
	prompt bool // the answer came in a time that says something

	status int    // of the answer; 0: none was given
	source source // of the answer
}

// readBody reads the request's body, so that the request can be classified and, if its worker dies, sent again. File
// uploads are passed on as they come. It answers the request itself, and returns false, when the body is too large or
// can't be read.
func (x *exchange) readBody() bool {
	r, limit := x.r, x.handler.MaxBody
	switch {
	case r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody:
		x.complete = true
		return true
	case r.ContentLength > limit:
		x.refuse(tooLarge, "fwd=bypass; detail=body-too-large")
		return false
	}
	limited := http.MaxBytesReader(x.w, r.Body, limit)
	if x.isUpload() {
		r.Body, x.streamed = limited, true
		return true
	}
	var buf bytes.Buffer
	if r.ContentLength > 0 {
		buf.Grow(int(min(r.ContentLength, maxPresized)) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(limited); err != nil {
		x.refuseBody(err)
		return false
	}
	x.body = buf.Bytes()
	x.inspected, x.complete = x.body, true
	if len(x.inspected) > inspectLimit && !x.isBatch() {
		x.inspected, x.complete = x.inspected[:inspectLimit], false
	}
	return true
}

// maxPresized bounds what is allocated on the word of a Content-Length alone.
const maxPresized = 1 << 20

// refuseBody answers a request whose body can't be read.
func (x *exchange) refuseBody(err error) {
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		x.refuse(tooLarge, "fwd=bypass; detail=body-too-large")
		return
	}
	x.refuse(aborted, "fwd=bypass; detail=body-unreadable")
}

// isBatch reports whether the body holds requests, which all count.
func (x *exchange) isBatch() bool {
	return strings.EqualFold(strings.TrimSuffix(x.path, "/"), "/batch")
}

// isUpload reports whether the body is a file, or a form that may hold one.
func (x *exchange) isUpload() bool {
	if strings.HasPrefix(strings.ToLower(x.r.Header.Get("Content-Type")), "multipart/") {
		return true
	}
	// The SDKs' JSON form of an upload is sent to the same path; it is a write whatever it says, so there is nothing
	// to inspect in it.
	return len(x.path) > 7 && strings.EqualFold(x.path[:7], "/files/")
}
