package ratelimit

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Policy is one rate: Quota units per Window, of which Burst may come at once.
type Policy struct {
	// Name is shown to clients in the RateLimit header fields: 1 to 64 of A-Z a-z 0-9 _ . - (default "default").
	Name string `json:"name,omitempty"`
	// Quota is the number of units a key gets in each Window; at least 1, no default.
	Quota int64 `json:"quota"`
	// Window is the time in which Quota units are earned; no default.
	Window time.Duration `json:"window"`
	// Burst is the number of units a key that has been silent may spend at once (default Quota).
	Burst int64 `json:"burst,omitempty"`
}

// Errors of a policy that can't be used.
var (
	ErrQuota  = errors.New("the quota must be at least 1")
	ErrWindow = errors.New("the window must be longer than zero and at least one nanosecond per unit of quota")
	ErrBurst  = errors.New("the burst must be positive, and the time to earn it must fit in 146 years")
	ErrName   = errors.New("the name must have 1 to 64 of A-Z a-z 0-9 _ . -")
)

// Parse reads the Caddyfile's form of a rate: "20/10s" or "20/10s burst 40". A window without a number is one unit:
// "5/s". The name is left empty.
func Parse(s string) (Policy, error) {
	fields := strings.Fields(s)
	var p Policy
	switch {
	case len(fields) == 1:
	case len(fields) == 3 && fields[1] == "burst":
		n, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil || n < 1 {
			return Policy{}, fmt.Errorf("cannot parse rate %q: the burst %q is not a positive whole number", s, fields[2])
		}
		p.Burst = n
	default:
		return Policy{}, fmt.Errorf("cannot parse rate %q: want <quota>/<window> [burst <n>], such as 20/10s burst 40", s)
	}
	quota, window, found := strings.Cut(fields[0], "/")
	if !found {
		return Policy{}, fmt.Errorf("cannot parse rate %q: no \"/\" between quota and window, as in 20/10s", s)
	}
	n, err := strconv.ParseInt(quota, 10, 64)
	if err != nil {
		return Policy{}, fmt.Errorf("cannot parse rate %q: the quota %q is not a whole number", s, quota)
	}
	if window != "" && (window[0] < '0' || window[0] > '9') {
		window = "1" + window
	}
	d, err := time.ParseDuration(window)
	if err != nil {
		return Policy{}, fmt.Errorf("cannot parse rate %q: the window %q is not a duration such as 10s or 1m", s, window)
	}
	p.Quota, p.Window = n, d
	if _, err := p.provisioned(); err != nil {
		return Policy{}, fmt.Errorf("cannot parse rate %q: %w", s, err)
	}
	return p, nil
}

// String is the form that Parse reads.
func (p Policy) String() string {
	s := strconv.FormatInt(p.Quota, 10) + "/" + p.Window.String()
	if p.Burst != 0 {
		s += " burst " + strconv.FormatInt(p.Burst, 10)
	}
	return s
}

// provisioned fills the defaults in and checks the result.
func (p Policy) provisioned() (Policy, error) {
	if p.Name == "" {
		p.Name = "default"
	}
	if p.Burst == 0 {
		p.Burst = p.Quota
	}
	switch {
	case !validName(p.Name):
		return p, ErrName
	case p.Quota < 1:
		return p, ErrQuota
	case p.Window <= 0 || int64(p.Window) < p.Quota:
		return p, ErrWindow
	case p.Burst < 1 || p.Burst > math.MaxInt64/2/p.interval():
		return p, ErrBurst
	}
	return p, nil
}

// interval is the time in which one unit is earned, in nanoseconds. It is rounded up, so that the rate is never
// exceeded.
func (p Policy) interval() int64 {
	return (int64(p.Window)-1)/p.Quota + 1
}

func validName(s string) bool {
	if len(s) < 1 || len(s) > 64 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-') {
			return false
		}
	}
	return true
}
