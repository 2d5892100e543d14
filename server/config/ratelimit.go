//nolint:revive,staticcheck // the messages are parse-server's, word for word
package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/parsescale/parsescale/server/jsregexp"
	"github.com/parsescale/parsescale/server/pathpattern"
)

// RateLimit is one entry of rateLimit: so many requests to certain paths in a time. Requests from 127.0.0.1, and those
// with a master key, count only where that is said.
type RateLimit struct {
	// RequestPath says which paths below MountPath count, as a pattern of package pathpattern: /login, /functions/*path.
	// Required.
	RequestPath string `json:"requestPath"`
	// RequestTimeWindow is how long a window lasts, in milliseconds. Required.
	RequestTimeWindow float64 `json:"requestTimeWindow"`
	// RequestCount is how many requests of a window pass. Required.
	RequestCount float64 `json:"requestCount"`
	// RequestMethods are the methods that count; without effect where IncludeMasterKey is set. Default: all.
	RequestMethods *Methods `json:"requestMethods,omitempty"`
	// ErrorResponseMessage is what a refused client is told. Default: Too many requests.
	ErrorResponseMessage string `json:"errorResponseMessage,omitempty"`
	// Zone says whose requests count together: "ip", those of an address; "session", those with a session token; "user",
	// those of a user; "global", all. Without a session or user it is the address. Default: ip.
	Zone string `json:"zone,omitempty"`
	// IncludeMasterKey counts requests with a master key too. Default: false.
	IncludeMasterKey bool `json:"includeMasterKey,omitempty"`
	// IncludeInternalRequests counts requests from 127.0.0.1 too. Default: false.
	IncludeInternalRequests bool `json:"includeInternalRequests,omitempty"`
	// RedisURL is where counts are kept for all workers together, redis://:password@host:6379. Default: in each worker.
	RedisURL Secret `json:"redisUrl,omitempty"`
}

// Window is RequestTimeWindow.
func (l *RateLimit) Window() time.Duration {
	return time.Duration(l.RequestTimeWindow * float64(time.Millisecond))
}

// Methods are HTTP methods: a list, or a regular expression (JavaScript's) that they match.
type Methods struct {
	list    []string
	pattern string
	re      *jsregexp.Regexp // nil: the list counts
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *Methods) UnmarshalJSON(data []byte) error {
	*m = Methods{}
	if json.Unmarshal(data, &m.list) == nil {
		return nil
	}
	if json.Unmarshal(data, &m.pattern) != nil {
		return errors.New("rateLimit.requestMethods must be an array of strings, or a regular expression")
	}
	var err error
	if m.re, err = jsregexp.Compile(m.pattern); err != nil {
		return fmt.Errorf("rateLimit.requestMethods %q is no regular expression", m.pattern)
	}
	return nil
}

// MarshalJSON implements json.Marshaler.
func (m *Methods) MarshalJSON() ([]byte, error) {
	if m.re != nil {
		return json.Marshal(m.pattern)
	}
	return json.Marshal(append([]string{}, m.list...))
}

// Has reports whether a method is one of them.
func (m *Methods) Has(method string) bool {
	if m.re == nil {
		return slices.Contains(m.list, method)
	}
	ok, err := m.re.Match(method)
	return ok || err != nil // what takes too long counts
}

// maxWindow is the longest window that Node's timers know, in milliseconds.
const maxWindow = math.MaxInt32

// checkRateLimit makes parse-server's checks of rateLimit, and brings one limit alone into the form of a list.
func (w *warnings) checkRateLimit(values map[string]any) error {
	list, ok := values["rateLimit"].([]any)
	switch v := values["rateLimit"].(type) {
	case nil, bool, float64, string:
		if !off(v) {
			return errors.New("rateLimit must be an array or object")
		}
		delete(values, "rateLimit")
		return nil
	case map[string]any:
		list, ok = []any{v}, true
		values["rateLimit"] = list
	}
	if !ok {
		return errors.New("rateLimit must be an array or object")
	}
	for _, v := range list {
		m, ok := v.(map[string]any)
		if !ok {
			return errors.New("rateLimit must be an array of objects")
		}
		w.olderPath(m)
		if err := checkLimit(m); err != nil {
			return err
		}
	}
	return nil
}

func checkLimit(m map[string]any) error {
	switch path, isText := m["requestPath"].(string); {
	case m["requestPath"] == nil:
		return errors.New("rateLimit.requestPath must be defined")
	case !isText:
		return errors.New("rateLimit.requestPath must be a string")
	default:
		if _, err := pathpattern.Compile(path); err != nil {
			return fmt.Errorf("rateLimit.requestPath %q is not valid: %w", path, err)
		}
	}
	for _, name := range []string{"requestTimeWindow", "requestCount"} {
		if _, ok := m[name].(float64); m[name] == nil {
			return fmt.Errorf("rateLimit.%s must be defined", name)
		} else if !ok {
			return fmt.Errorf("rateLimit.%s must be a number", name)
		}
	}
	if ms := m["requestTimeWindow"].(float64); ms < 1 || ms > maxWindow {
		return fmt.Errorf("rateLimit.requestTimeWindow must be between 1 and %d milliseconds", maxWindow)
	}
	for _, name := range []string{"includeInternalRequests", "includeMasterKey"} {
		if v := m[name]; off(v) {
			delete(m, name)
		} else if !isBool(v) {
			return fmt.Errorf("rateLimit.%s must be a boolean", name)
		}
	}
	for _, name := range []string{"errorResponseMessage", "redisUrl", "zone", "requestMethods"} {
		v := m[name]
		if _, ok := v.(string); off(v) {
			delete(m, name)
		} else if !ok && name != "requestMethods" {
			return fmt.Errorf("rateLimit.%s must be a string", name)
		}
	}
	for name, def := range map[string]string{"errorResponseMessage": "Too many requests.", "zone": "ip"} {
		if m[name] == nil {
			m[name] = def
		}
	}
	if zone := m["zone"]; !slices.Contains([]any{"global", "session", "user", "ip"}, zone) {
		return errors.New("rateLimit.zone must be one of global, session, user, or ip")
	}
	return nil
}

// olderPath rewrites a path in the form of parse-server 6 to 8, in which * is whatever is left, if it isn't one of today's.
func (w *warnings) olderPath(m map[string]any) {
	path, ok := m["requestPath"].(string)
	if _, err := pathpattern.Compile(path); !ok || err == nil {
		return
	}
	today := strings.ReplaceAll(path, "(.*)", "{*path}")
	if today == "*" {
		today = "{*path}"
	}
	today = strings.ReplaceAll(today, "/*", "/{*path}")
	if _, err := pathpattern.Compile(today); err == nil {
		m["requestPath"] = today
		w.add("rateLimit.requestPath %q has the form of parse-server 8 and older; it counts as %q", path, today)
	}
}
