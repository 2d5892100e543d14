package caddymodule

import (
	"bytes"
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/parsescale/parsescale/caddymodule/inspect"
	"github.com/parsescale/parsescale/policies/admission"
	"github.com/parsescale/parsescale/policies/cache"
	"github.com/parsescale/parsescale/policies/ratelimit"
	"github.com/parsescale/parsescale/policies/request"
	"github.com/parsescale/parsescale/server/trickle"
)

// exchange is one request on its way through the gateway.
type exchange struct {
	handler *Handler
	route   *route
	w       http.ResponseWriter
	r       *http.Request
	path    string    // escaped, below the mount
	ip      string    // the client's address
	begun   time.Time // when it came
	// behindProxy: a proxy that Caddy trusts tells how the client came.
	behindProxy bool
	req         request.Request

	body      []byte        // the whole body, unless it is streamed
	streamed  bool          // the body is passed on as it comes
	sending   *trickle.Body // that body
	inspected []byte        // what the classifier may look at
	complete  bool          // inspected is the whole body

	charged ratelimit.Charged
	rights  *cache.Rights // what the session token stands for; nil: nobody knows, or there is none
	key     cache.Key     // of the entry that was looked up and found

	seat   admission.Seat
	seated bool // seat has to be left
	prompt bool // the answer came in a time that says something

	inside bool              // it has been let in and isn't out
	worker string            // that is to be asked first; "": any
	next   caddyhttp.Handler // answers in the place of workers; nil: they do
	failed error             // what it returned
	// filling is the fill that the answer is for; nil: none.
	filling *cache.Fill

	status int    // of the answer; 0: none was given
	source source // of the answer
}

// classify finds out what the request asks for.
func (x *exchange) classify() {
	x.req = request.Classify(request.Input{
		Method: x.r.Method, Path: x.path, RawQuery: x.r.URL.RawQuery, Header: x.r.Header, Body: x.inspected, BodyComplete: x.complete,
		Mount: x.handler.Mount, Seed: x.handler.seedFor(x.r),
	})
}

// readBody reads the request's body, so that the request can be classified and, if its worker dies, sent again. File
// uploads are passed on as they come, unless they alone can tell whose they are. It answers the request itself, and returns false, when the body is too large or
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
	upload := inspect.IsUpload(r, x.path)
	if upload && !x.lacksApp() {
		x.sending, x.streamed = trickle.New(limited, http.NewResponseController(x.w)), true
		r.Body = x.sending
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
	if len(x.inspected) > inspect.Limit && !inspect.IsBatch(x.path) && !upload {
		x.inspected, x.complete = x.inspected[:inspect.Limit], false
	}
	return true
}

// lacksApp reports whether the header doesn't tell which of several apps the request is for. An upload then does, in its SDKs' form.
func (x *exchange) lacksApp() bool {
	return x.handler.byID != nil && x.handler.byID[x.r.Header.Get("X-Parse-Application-Id")] == nil
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
