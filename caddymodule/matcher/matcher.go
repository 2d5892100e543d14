package matcher

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/parsescale/parsescale/caddymodule/inspect"
	"github.com/parsescale/parsescale/policies/ratelimit"
	"github.com/parsescale/parsescale/policies/request"
)

// The values of MasterKey.
const (
	presented = "presented"
	absent    = "absent"
)

const (
	defaultMount = "/parse"
	// maxBatch is how much of a batch is read, in bytes, and of any body where it matters who asks: as much as parse-server takes by
	// default. What a longer one holds isn't known.
	maxBatch = 20 << 20
)

func init() { caddy.RegisterModule(Match{}) }

// Match matches requests below the mount for which every setting holds that is given; one with several values holds if one
// of them does. The method override of the SDKs (POST with _method) is obeyed, for which as much of the body is read as
// that takes, up to 1 MiB, and put back; for Apps and MasterKey, which may be told in any body, up to 20 MiB.
//
// A batch matches if something that it holds does. What can't be read, such as a body that is compressed or too long, may
// be anything, and so it matches whatever app, operation, class or function is asked for: what a route forbids isn't let through.
// For a route that is meant for nothing else, such as one to read replicas, there is Only.
type Match struct {
	// Mount is the path below which the Parse API lives. Default: /parse.
	Mount string `json:"mount,omitempty"`
	// Apps are application ids, of which the request names one, in its header or body. Preflights and health checks name none.
	// Default: any.
	Apps []string `json:"apps,omitempty"`
	// Operations are read, write, login, function, aggregate, push, files, or single ones such as create, as in
	// RateZone. Default: any.
	Operations []string `json:"operations,omitempty"`
	// Classes are classes of which the request names one in its path, whatever others it includes or asks about. Default: any, or none.
	Classes []string `json:"classes,omitempty"`
	// Functions are names of functions and jobs of which the request calls one. Default: any, or none.
	Functions []string `json:"functions,omitempty"`
	// MasterKey is presented, for requests with a master key, maintenance key or Authorization field, whether that is right
	// or not, or absent. Default: either.
	MasterKey string `json:"master_key,omitempty"`
	// Only matches a request if it certainly asks for nothing else: a batch if all that it holds matches, and nothing that
	// can't be read. Default: false.
	Only bool `json:"only,omitempty"`

	ops ratelimit.Group // empty: any
}

// CaddyModule returns the Caddy module information.
func (Match) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.matchers.parse", New: func() caddy.Module { return new(Match) }}
}

// Provision prepares the matcher.
func (m *Match) Provision(ctx caddy.Context) error {
	for _, around := range ctx.Modules() {
		if _, ok := around.(*reverseproxy.Handler); ok && !m.Only {
			// Such as in lb_retry_match, where a write that can't be read any more would count as a read.
			return errors.New("inside of reverse_proxy the matcher parse needs its setting only, for the body may be gone")
		}
	}
	if m.Mount == "" {
		m.Mount = defaultMount
	}
	m.ops = ratelimit.Group{}
	for _, name := range m.Operations {
		if err := m.ops.Add(name); err != nil {
			return err
		}
	}
	return nil
}

// Validate checks the settings.
func (m *Match) Validate() error {
	if inspect.Mount(m.Mount) != m.Mount {
		return fmt.Errorf("mount must be a path such as /parse, without a slash at its end, not %q", m.Mount)
	}
	if m.MasterKey != "" && m.MasterKey != presented && m.MasterKey != absent {
		return fmt.Errorf("master_key is presented or absent, not %q", m.MasterKey)
	}
	return nil
}

// Match implements caddyhttp.RequestMatcher.
func (m *Match) Match(r *http.Request) bool {
	matches, _ := m.MatchWithError(r)
	return matches
}

// MatchWithError implements caddyhttp.RequestMatcherWithError.
func (m *Match) MatchWithError(r *http.Request) (bool, error) {
	rest, below := inspect.Below(r.URL.EscapedPath(), m.Mount)
	if !below {
		return !m.Only && inspect.MeansBelow(r.URL.Path, m.Mount), nil
	}
	o := inspect.Options{Mount: m.Mount, MaxBatch: maxBatch}
	if len(m.Apps) > 0 || m.MasterKey != "" {
		o.MaxBody = maxBatch
	}
	req, err := inspect.Classify(r, rest, o)
	if err != nil { // nobody knows what it is
		return !m.Only, nil
	}
	return m.matches(&req, rest), nil
}

func (m *Match) matches(req *request.Request, rest string) bool {
	if len(m.Apps) > 0 && !m.isFor(req, rest) {
		return false
	}
	switch m.MasterKey {
	case presented:
		if !req.Privileged && (m.Only || !req.Doubtful) {
			return false
		}
	case absent:
		if req.Privileged || m.Only && req.Doubtful {
			return false
		}
	}
	one, all := false, true
	req.EachPart(func(p request.Part) {
		if m.holds(p) {
			one = true
		} else {
			all = false
		}
	})
	return one && (all || !m.Only)
}

// isFor reports whether the request is, or may be, for one of the apps.
func (m *Match) isFor(req *request.Request, rest string) bool {
	ids, more := req.Apps()
	if req.Op == request.FileRead { // whose path counts
		ids, more = []string{inspect.AppID(req, rest)}, false
	}
	one, all := false, !more
	for _, id := range ids {
		if slices.Contains(m.Apps, id) {
			one = true
		} else {
			all = false
		}
	}
	if m.Only {
		return one && all
	}
	return one || more
}

// holds reports whether a part of the request is meant.
func (m *Match) holds(p request.Part) bool {
	if p.Op == request.Other {
		return !m.Only
	}
	return (len(m.ops) == 0 || m.ops.Has(p.Op, p.Write)) &&
		(m.Classes == nil || slices.Contains(m.Classes, p.Class)) &&
		(m.Functions == nil || slices.Contains(m.Functions, p.Name))
}

var (
	_ caddy.Provisioner                 = (*Match)(nil)
	_ caddy.Validator                   = (*Match)(nil)
	_ caddyhttp.RequestMatcherWithError = (*Match)(nil)
	_ caddyhttp.RequestMatcher          = (*Match)(nil)
)
