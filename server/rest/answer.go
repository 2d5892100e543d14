package rest

import (
	"crypto/sha1" //nolint:gosec // not for security: Express' ETag
	"encoding/base64"
	"html"
	"net/http"
	"strconv"
	"strings"

	"github.com/parsescale/parsescale/server/read"
	"github.com/parsescale/parsescale/server/write"
)

const (
	typeJSON = "application/json; charset=utf-8"
	typeHTML = "text/html; charset=utf-8"
	typeText = "text/plain; charset=utf-8"
)

// answer is what a handler gives back.
type answer struct {
	status int // 0: 200
	// location is a path below the mount, such as "/classes/Game/abc"; it becomes a Location header.
	location string
	// contentType is typeJSON when empty.
	contentType string
	body        []byte
	// sent, if not nil, is called once the body was sent and nobody reads it any more. A batch, which has bodies of others in
	// its own, doesn't.
	sent func()
	// result, of a write, has the body that the app's code has left once all is done; nil: body is it.
	result *write.Result
	// reads are what the gateway must know of the answer's dependencies; nil for none.
	reads *read.Reads
	// header holds further fields.
	header map[string]string
}

// etag is Express' weak entity tag of a body.
func etag(body []byte) string {
	sum := sha1.Sum(body) //nolint:gosec // not for security
	dst := make([]byte, 0, 48)
	dst = append(dst, `W/"`...)
	dst = strconv.AppendInt(dst, int64(len(body)), 16)
	dst = append(dst, '-')
	dst = base64.StdEncoding.AppendEncode(dst, sum[:])
	return string(dst[:len(dst)-1]) + `"` // without the padding
}

// write sends the answer: entity tag, conditional GET, HEAD without a body.
func (a *answer) write(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	status := a.status
	if status == 0 {
		status = http.StatusOK
	}
	for k, v := range a.header {
		h.Set(k, v)
	}
	tag := etag(a.body)
	h.Set("ETag", tag)
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	if read && status < 300 && fresh(r.Header, tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	contentType := a.contentType
	if contentType == "" {
		contentType = typeJSON
	}
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	// After an error the client is gone, there is nobody to tell, and the server may still be reading the body.
	if _, err := w.Write(a.body); err == nil && a.sent != nil {
		a.sent()
	}
}

// fresh reports whether the client has this version already (RFC 9110, section 13.1.2, weak comparison).
func fresh(h http.Header, tag string) bool {
	match := h.Get("If-None-Match")
	if match == "" || strings.Contains(strings.ToLower(h.Get("Cache-Control")), "no-cache") {
		return false
	}
	if strings.TrimSpace(match) == "*" {
		return true
	}
	tag = strings.TrimPrefix(tag, "W/")
	for t := range strings.SplitSeq(match, ",") {
		if strings.TrimPrefix(strings.TrimSpace(t), "W/") == tag {
			return true
		}
	}
	return false
}

// notFound is Express' page for what has no route.
func notFound(method, path string) *answer {
	return &answer{
		status:      http.StatusNotFound,
		contentType: typeHTML,
		header: map[string]string{
			"Content-Security-Policy": "default-src 'none'",
			"X-Content-Type-Options":  "nosniff",
		},
		body: []byte("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Error</title>\n</head>\n<body>\n<pre>Cannot " +
			html.EscapeString(method) + " " + html.EscapeString(path) + "</pre>\n</body>\n</html>\n"),
	}
}
