package request

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// readHeader takes in what the header fields say. Fields that come several times are joined as Node joins them; two
// readers may disagree on what they mean, so such a request isn't cached.
func (r *Request) readHeader(h http.Header) {
	r.AppID = r.field(h, "X-Parse-Application-Id")
	r.Session = r.field(h, "X-Parse-Session-Token")
	r.Keys = ClientKeys{
		Client:     r.field(h, "X-Parse-Client-Key"),
		JavaScript: r.field(h, "X-Parse-Javascript-Key"),
		Windows:    r.field(h, "X-Parse-Windows-Key"),
		REST:       r.field(h, "X-Parse-Rest-Api-Key"),
	}
	r.Origin = r.field(h, "Origin")
	r.Privileged = present(h, "X-Parse-Master-Key") || present(h, "X-Parse-Maintenance-Key") || present(h, "Authorization")
	if r.Privileged {
		r.MasterKey = r.field(h, "X-Parse-Master-Key")
		r.refuse(whyPrivileged)
		if r.user = basicUser(h["Authorization"]); r.AppID == "" {
			r.AppID = r.user
		}
	}
	if present(h, "X-Parse-Cloud-Context") {
		r.refuse(whyContext)
	}
	if present(h, "Range") {
		r.refuse(whyRange)
	}
	r.readCacheControl(h)
}

// basicUser is the user name of Basic credentials, which parse-server takes for the application id; "" if there is none.
func basicUser(authorization []string) string {
	if len(authorization) != 1 {
		return ""
	}
	scheme, credentials, _ := strings.Cut(authorization[0], " ")
	if !equalFold(scheme, "Basic") {
		return ""
	}
	decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(credentials), "="))
	user, password, ok := strings.Cut(string(decoded), ":")
	if err != nil || !ok || strings.Contains(password, ":") {
		return ""
	}
	return user
}

func present(h http.Header, name string) bool {
	_, ok := h[name]
	return ok
}

func (r *Request) field(h http.Header, name string) string {
	switch v := h[name]; len(v) {
	case 0:
		return ""
	case 1:
		return v[0]
	default:
		r.refuse(whyRepeated)
		return strings.Join(v, ", ")
	}
}

// readCacheControl follows RFC 9111, sections 5.2.1 and 5.4: Pragma counts when there is no Cache-Control. Max-age
// and min-fresh below what an entry may have are taken for no-cache.
func (r *Request) readCacheControl(h http.Header) {
	values, given := h["Cache-Control"]
	if !given {
		values = h["Pragma"]
	}
	for _, v := range values {
		for v != "" {
			var directive string
			directive, v, _ = strings.Cut(v, ",")
			name, argument, _ := strings.Cut(strings.TrimSpace(directive), "=")
			switch {
			case equalFold(name, "no-store") && given:
				r.NoStore = true
			case equalFold(name, "only-if-cached") && given:
				r.OnlyIfCached = true
			case equalFold(name, "no-cache"), given && (equalFold(name, "max-age") && strings.Trim(argument, `"0`) == "" || equalFold(name, "min-fresh")):
				r.NoCache = true
			case given && equalFold(name, "max-age"):
				// What isn't a number is taken for the least there is; RFC 9111, section 4.2.1, asks for it to be stale.
				seconds, err := strconv.ParseUint(strings.Trim(argument, `"`), 10, 31)
				if age := time.Duration(seconds) * time.Second; err != nil {
					r.NoCache = true
				} else if r.MaxAge == 0 || age < r.MaxAge {
					r.MaxAge = age
				}
			}
		}
	}
}

// readableBody tells whether the header fields leave no doubt that the body, if it is read, is read as JSON in UTF-8.
func readableBody(h http.Header) bool {
	if v, ok := h["Content-Encoding"]; ok && (len(v) != 1 || !equalFold(v[0], "identity")) {
		return false
	}
	switch v := h["Content-Type"]; len(v) {
	case 0:
		return true
	case 1:
		media, parameters, _ := strings.Cut(v[0], ";")
		media = strings.TrimSpace(media)
		if !equalFold(media, "application/json") && !equalFold(media, "text/plain") {
			return false
		}
		parameters = strings.TrimSpace(parameters)
		return parameters == "" || equalFold(parameters, "charset=utf-8") || equalFold(parameters, `charset="utf-8"`)
	}
	return false
}
