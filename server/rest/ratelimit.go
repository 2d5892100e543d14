package rest

import (
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/pathpattern"
	"github.com/parsescale/parsescale/server/ratelimit"
)

// rateLimit is one entry of rateLimit.
type rateLimit struct {
	o       config.RateLimit
	pattern *pathpattern.Pattern
	local   *ratelimit.Local
	shared  *ratelimit.Shared // nil: counts are this worker's own
}

// openRateLimits makes the app's limits.
func (a *API) openRateLimits() error {
	for _, o := range a.o.Config.RateLimit {
		l := &rateLimit{o: o}
		var err error
		if l.pattern, err = pathpattern.Compile(o.RequestPath); err != nil {
			return err
		}
		if l.local, err = ratelimit.NewLocal(o.Window(), 0, nil); err != nil {
			return err
		}
		if o.RedisURL != "" {
			if l.shared, err = ratelimit.NewShared(string(o.RedisURL), o.Window(), nil); err != nil {
				return err
			}
		}
		if l.o.ErrorResponseMessage == "" {
			l.o.ErrorResponseMessage = "Too many requests."
		}
		a.limits = append(a.limits, l)
	}
	return nil
}

// Close ends what the API has open by itself. No requests may run.
func (a *API) Close() error {
	var err error
	for _, l := range a.limits {
		if l.shared != nil {
			err = errors.Join(err, l.shared.Close())
		}
	}
	return err
}

// limitRequest counts a request under every limit that it falls under, and refuses it when one of them is used up. Of
// several limits, the last one stands in the header fields.
func (a *API) limitRequest(h http.Header, c *call) error {
	var refused error
	for _, l := range a.limits {
		if !l.covers(c.path) || l.skips(c.caller, c.method) {
			continue
		}
		count := a.count(l, c, c.caller.SessionToken)
		left := int64(math.Ceil(time.Until(count.Reset).Seconds()))
		h["X-RateLimit-Limit"] = []string{strconv.FormatFloat(l.o.RequestCount, 'f', -1, 64)}
		h["X-RateLimit-Remaining"] = []string{strconv.FormatFloat(max(0, l.o.RequestCount-float64(count.Hits)), 'f', -1, 64)}
		h["X-RateLimit-Reset"] = []string{strconv.FormatInt(int64(math.Ceil(float64(count.Reset.UnixMilli())/1000)), 10)}
		if l.exceeded(count) {
			h["Retry-After"] = []string{strconv.FormatInt(max(0, left), 10)}
			if refused == nil {
				refused = &parseerror.Error{Code: parseerror.ConnectionFailed, Message: l.o.ErrorResponseMessage, Status: http.StatusTooManyRequests}
			}
		}
	}
	return refused
}

// limitSub counts a sub-request of a batch, whose own request was a POST.
func (a *API) limitSub(c *call, method, path string) error {
	token := c.caller.SessionToken
	if isLogIn(path) {
		token = ""
	}
	for _, l := range a.limits {
		if !l.covers(path) || l.skips(c.caller, method, http.MethodPost) {
			continue
		}
		if l.exceeded(a.count(l, c, token)) {
			return parseerror.New(parseerror.ConnectionFailed, "%s", l.o.ErrorResponseMessage)
		}
	}
	return nil
}

// covers reports whether a path falls under the limit, as it is or with its escapes decoded: the router decodes them.
func (l *rateLimit) covers(path string) bool {
	if l.pattern.Match(path) {
		return true
	}
	decoded, err := url.PathUnescape(path)
	return err == nil && decoded != path && l.pattern.Match(decoded)
}

// skips reports whether a caller's requests by these methods don't count.
func (l *rateLimit) skips(c auth.Caller, methods ...string) bool {
	if c.IP == "127.0.0.1" && !l.o.IncludeInternalRequests {
		return true
	}
	if l.o.IncludeMasterKey {
		return false
	}
	if l.o.RequestMethods != nil {
		counts := false
		for _, m := range methods {
			counts = counts || l.o.RequestMethods.Has(m)
		}
		if !counts {
			return true
		}
	}
	return c.Master
}

func (l *rateLimit) exceeded(c ratelimit.Count) bool { return float64(c.Hits) > l.o.RequestCount }

// count adds one to the caller's count. When Redis doesn't answer, this worker counts for itself.
func (a *API) count(l *rateLimit, c *call, token string) ratelimit.Count {
	key := a.limitKey(l, c, token)
	if l.shared != nil {
		count, err := l.shared.Add(c.ctx, key)
		if err == nil {
			return count
		}
		if !errors.Is(err, ratelimit.ErrAway) { // which was said before
			a.o.Logger.Error("a rate limit is counted by this worker alone", "error", err)
		}
	}
	count, _ := l.local.Add(c.ctx, key) // never fails
	return count
}

// limitKey says with whom a caller is counted. The keys are parse-server's.
func (a *API) limitKey(l *rateLimit, c *call, token string) string {
	switch {
	case l.o.Zone == "global":
		return a.o.Config.AppID
	case token == "":
	case l.o.Zone == "session":
		return token
	case l.o.Zone == "user":
		// Whoever isn't known by the token is counted by address; what is wrong with the token is told later.
		if who, err := a.resolve(c); err == nil && who.UserID != "" {
			return who.UserID
		}
	}
	return c.caller.IP
}
