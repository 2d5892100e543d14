package ratelimit

import (
	"strconv"
	"time"
)

// Names of the header fields of draft-ietf-httpapi-ratelimit-headers-11, and of RFC 9110 section 10.2.3.
const (
	HeaderPolicy     = "RateLimit-Policy"
	HeaderLimit      = "RateLimit"
	HeaderRetryAfter = "Retry-After"
)

// PolicyHeader is the value of RateLimit-Policy, the same for every answer: "default";q=20;w=10. Windows are whole
// seconds there; the quota of any other window is given for the next whole second.
func (l *Limiter) PolicyHeader() string { return l.header }

func policyHeader(ps []policy) string {
	var b []byte
	for i, p := range ps {
		if i > 0 {
			b = append(b, ", "...)
		}
		w := seconds(p.Window)
		// As many as w seconds earn; never more than the policy admits.
		q := p.Quota
		if whole := time.Duration(w) * time.Second; whole != p.Window {
			q = int64(float64(p.Quota) * (float64(whole) / float64(p.Window)))
		}
		b = append(b, '"')
		b = append(b, p.Name...)
		b = append(b, `";q=`...)
		b = strconv.AppendInt(b, q, 10)
		b = append(b, ";w="...)
		b = strconv.AppendInt(b, w, 10)
	}
	return string(b)
}

// AppendHeader appends the value of RateLimit: "default";r=5;t=2, with r the units left and t the seconds until the
// whole burst is back.
func (d Decision) AppendHeader(dst []byte) []byte {
	dst = append(dst, '"')
	dst = append(dst, d.Policy...)
	dst = append(dst, `";r=`...)
	dst = strconv.AppendInt(dst, d.Remaining, 10)
	dst = append(dst, ";t="...)
	return strconv.AppendInt(dst, seconds(d.ResetAfter), 10)
}

// Header is AppendHeader as a string.
func (d Decision) Header() string { return string(d.AppendHeader(make([]byte, 0, 48))) }

// RetryAfterSeconds is the value of Retry-After for a refused request: whole seconds, rounded up, at least 1.
// It is 0, and the field should be left out, when the request passed or never can.
func (d Decision) RetryAfterSeconds() int64 {
	if d.OK || d.Never {
		return 0
	}
	return max(1, seconds(d.RetryAfter))
}

// seconds rounds up.
func seconds(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return int64((d-1)/time.Second) + 1
}
