package exchange

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// render appends a request as it goes over the wire. What could be read as something else by the other side, such as a line
// break in a value, is ErrUnfit. The length of the body is said by the body alone.
func render(out []byte, r *http.Request, body []byte) ([]byte, error) {
	host := r.Host
	if host == "" && r.URL != nil {
		host = r.URL.Host
	}
	switch {
	case len(body) > MaxRequest:
		return out, ErrTooLarge
	case !httpguts.ValidHeaderFieldName(r.Method): // a method is a token, too
		return out, fmt.Errorf("%w: its method is no token", ErrUnfit)
	case host == "" || !httpguts.ValidHostHeader(host):
		return out, fmt.Errorf("%w: its host is none", ErrUnfit)
	case r.URL == nil:
		return out, fmt.Errorf("%w: it has no URL", ErrUnfit)
	}
	uri := r.URL.RequestURI()
	if !strings.HasPrefix(uri, "/") || strings.ContainsFunc(uri, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return out, fmt.Errorf("%w: its path is none", ErrUnfit)
	}
	out = append(append(append(out, r.Method...), ' '), uri...)
	out = append(append(append(out, " HTTP/1.1\r\nHost: "...), host...), "\r\n"...)
	if len(body) > 0 || r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
		out = strconv.AppendInt(append(out, "Content-Length: "...), int64(len(body)), 10)
		out = append(out, "\r\n"...)
	}
	for name, values := range r.Header {
		if framing(name) {
			continue
		}
		if !httpguts.ValidHeaderFieldName(name) {
			return out, fmt.Errorf("%w: the name of a header field is no token", ErrUnfit)
		}
		for _, value := range values {
			if value == "" && name == "User-Agent" { // as net/http has it: none is to be sent
				continue
			}
			if !httpguts.ValidHeaderFieldValue(value) {
				return out, fmt.Errorf("%w: the header field %s has a value that can't be sent", ErrUnfit, name)
			}
			out = append(append(out, name...), ": "...)
			out = append(append(out, value...), "\r\n"...)
		}
	}
	if out = append(out, "\r\n"...); len(out)+len(body) > MaxRequest {
		return out, ErrTooLarge
	}
	return append(out, body...), nil
}

// framing tells whether a header field says where a request ends or where it goes, which render says by itself.
func framing(name string) bool {
	switch len(name) {
	case len("Host"):
		return strings.EqualFold(name, "Host")
	case len("Trailer"):
		return strings.EqualFold(name, "Trailer")
	case len("Content-Length"):
		return strings.EqualFold(name, "Content-Length")
	case len("Transfer-Encoding"):
		return strings.EqualFold(name, "Transfer-Encoding")
	}
	return false
}
