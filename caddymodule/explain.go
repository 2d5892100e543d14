package caddymodule

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/parsescale/parsescale/caddymodule/inspect"
	"github.com/parsescale/parsescale/policies/cache"
)

// Question is the body of POST /parse/explain: a request as a client would send it.
type Question struct {
	// Method is the HTTP method. Default: GET.
	Method string `json:"method"`
	// Path is the path with the query string: /parse/classes/Game?where={"n":1}. It need not be escaped.
	Path string `json:"path"`
	// Headers are the request's headers by name, Host among them: before workers that aren't bundled each host has its own answers.
	Headers map[string]string `json:"headers"`
	// Body is the body's text. If no header says what it is, it is text/plain, as from the SDKs.
	Body string `json:"body"`
}

// Explained is its answer: what the gateway makes of the request. Nothing is sent to a worker.
type Explained struct {
	// App is the name of the app whose workers would get it; "" where none would.
	App string `json:"app"`
	// Operation, Class and ObjectID are what it asks for.
	Operation string `json:"operation"`
	Class     string `json:"class,omitempty"`
	ObjectID  string `json:"object_id,omitempty"`
	// Write: it may change something, in the classes of Writes; absent for any class.
	Write  bool     `json:"write"`
	Writes []string `json:"writes,omitempty"`
	// Cost is what it is charged to the rate limits.
	Cost int `json:"cost"`
	// Cached: an answer may be taken from the cache and stored there. If not, Why says why.
	Cached bool   `json:"cached"`
	Why    string `json:"why,omitempty"`
	// Scope says with whom the answer may be shared.
	Scope string `json:"scope,omitempty"`
	// Level is the level at which it is kept, Serving that cached answers may be served at this moment.
	Level   string `json:"level,omitempty"`
	Serving bool   `json:"serving"`
	// Cache is what the cache knows of it; absent if it isn't cached.
	Cache *cache.Explanation `json:"cache,omitempty"`
	// Before are the parse_cache that may come before, each by its name in the place of an app's. Where there are no workers but
	// those of other handlers, the first of them is the answer itself.
	Before []Explained `json:"before,omitempty"`
}

func (Admin) explain(w http.ResponseWriter, r *http.Request) error {
	var q Question
	if err := readAdminBody(w, r, &q); err != nil {
		return err
	}
	asked, err := q.request()
	if err != nil {
		return err
	}
	app := activeApp.Load()
	if app == nil {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: fmt.Errorf("no parse app is running")}
	}
	app.mu.Lock()
	handlers := app.handlers
	app.mu.Unlock()
	var best *Explained
	var before []Explained
	for _, h := range handlers {
		rest, below := inspect.Below(asked.URL.EscapedPath(), h.Mount)
		switch {
		case !below:
		case h.composed != nil && h.Cache != nil:
			before = append(before, h.explain(asked, rest, q.Body))
		case h.composed == nil && (best == nil || best.App == ""): // of several sites, one that has the app
			e := h.explain(asked, rest, q.Body)
			best = &e
		}
	}
	switch {
	case best != nil:
		best.Before = before
	case len(before) > 0:
		best = &before[0]
		best.Before = before[1:]
	default:
		return badAdminRequest("no parse directive, parse_cache or parse_pool serves the path %s", asked.URL.Path)
	}
	return writeIndented(w, best)
}

// request makes the request that is asked about.
func (q *Question) request() (*http.Request, error) {
	path, query, _ := strings.Cut(q.Path, "?")
	if !strings.HasPrefix(path, "/") {
		return nil, badAdminRequest("path must begin with a slash, not %q", q.Path)
	}
	u := &url.URL{Path: path, RawQuery: escapedQuery(query)}
	if unescaped, err := url.PathUnescape(path); err == nil && unescaped != path {
		u.Path, u.RawPath = unescaped, path
	}
	r := &http.Request{Method: q.Method, URL: u, Header: http.Header{}}
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	for name, value := range q.Headers {
		r.Header.Set(name, value)
	}
	if q.Body != "" && r.Header["Content-Type"] == nil {
		r.Header.Set("Content-Type", "text/plain")
	}
	r.Host = r.Header.Get("Host")
	r.Header.Del("Host")
	return r, nil
}

// escapedQuery escapes what can't stand in a query string, and leaves alone what is escaped already.
func escapedQuery(query string) string {
	var b strings.Builder
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"<>\^{|}[]`+"`", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func (h *Handler) explain(r *http.Request, rest, body string) Explained {
	stripInternal(r.Header)
	x := exchange{handler: h, r: r, path: rest, inspected: []byte(body), complete: true}
	x.classify()
	if h.composed != nil {
		x.heedCookie()
	}
	q := &x.req
	e := Explained{
		Operation: q.Op.String(), Class: q.Class, ObjectID: q.ObjectID, Write: q.Write, Writes: q.Classes, Cost: q.Cost, Why: q.Why,
	}
	if x.route = h.choose(&x); x.route == nil {
		e.Why = "no app here has its application id"
		return e
	}
	e.App, e.Level, e.Serving = x.route.name, x.level().String(), x.route.serving()
	switch e.Cached = x.cacheable(); {
	case !e.Cached && e.Why == "" && !x.route.caching:
		e.Why = "the cache is off"
	case !e.Cached && e.Why == "" && h.composed != nil && r.Header["Cookie"] != nil:
		e.Why = "it has a Cookie"
	case !e.Cached && e.Why == "":
		e.Why = "the client says no-store, or asks with HEAD: what a GET has stored answers it, but its answer isn't stored"
	case e.Cached:
		var keys []cache.Key
		keys, e.Scope = x.sharers()
		c := x.route.cache.Explain(x.reading(), keys...)
		e.Cache = &c
	}
	return e
}
