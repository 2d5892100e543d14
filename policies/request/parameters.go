package request

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/parsescale/parsescale/server/query"
)

// parseParameters reads the parameters of a find or get from the query string or the body, never from both, although
// the worker would lay one over the other.
func parseParameters(in *Input, b *body, r *Request) (q *query.Query, why string) {
	var p query.Params
	if in.Method == http.MethodPost {
		if in.RawQuery != "" || b.state != bodyObject {
			return nil, whyExtra
		}
		if p, why = bodyParameters(in.Body, b); why != "" {
			return nil, why
		}
	} else {
		if b.state != bodyNone {
			return nil, whyExtra
		}
		if p, why = stringParameters(in.RawQuery); why != "" {
			return nil, why
		}
	}
	parse := query.ParseParams
	if r.Op == Get {
		parse = query.ParseGetParams
	}
	q, err := parse(r.Class, p, in.Limits)
	if err != nil {
		return nil, whyParameters
	}
	return q, ""
}

func bodyParameters(text []byte, b *body) (query.Params, string) {
	if b.many || !utf8.Valid(text) {
		return nil, whyParameters
	}
	if b.n == 0 {
		return nil, ""
	}
	p := make(query.Params, b.n)
	for _, m := range b.members[:b.n] {
		p[string(m.name)] = query.Param{JSON: m.value}
	}
	return p, ""
}

// stringParameters reads a query string as long as Express's "extended" parser and everyone else agree on it: no
// brackets, no repeated or empty names, no empty values, no broken escapes.
func stringParameters(raw string) (query.Params, string) {
	if raw == "" {
		return nil, ""
	}
	p := make(query.Params, 4)
	for more := true; more; {
		var part string
		part, raw, more = strings.Cut(raw, "&")
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		for i := 0; i < len(name); i++ {
			if !isAlphanumeric(name[i]) {
				return nil, whyParameters
			}
		}
		value, err := url.QueryUnescape(value)
		if _, repeated := p[name]; repeated || err != nil || name == "" || value == "" || len(p) == maxParameters || !utf8.ValidString(value) {
			return nil, whyParameters
		}
		p[name] = query.Param{Text: value}
	}
	return p, ""
}

// unfit says why the answer to a query isn't cached; "" if it may be.
func unfit(q *query.Query) string {
	switch {
	case q.Explain != "":
		return whyExplain
	case q.Redirect != "":
		return whyRedirect
	case !primary(q.ReadPreference) || !primary(q.IncludeReadPreference) || !primary(q.SubqueryPreference):
		return whyPreference
	case q.TimeDependent():
		return whyTime
	}
	return ""
}

func primary(preference string) bool {
	return preference == "" || equalFold(preference, "PRIMARY")
}
