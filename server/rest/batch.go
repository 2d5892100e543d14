package rest

import (
	"context"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/parsescale/parsescale/server/parseerror"
)

const (
	// maxBatch is the most sub-requests of any batch, whoever sends it.
	maxBatch = 10_000
	// batchParallel is how many sub-requests of one batch run at a time.
	batchParallel = 64
	// maxBatchAnswer bounds the answers of one batch together, in bytes.
	maxBatchAnswer = 256 << 20
)

// subRequest is one entry of a batch.
type subRequest struct {
	route  *route
	params params
	method string
	path   string
	body   *body
}

// runBatch runs the sub-requests concurrently and answers in their order. Every one of them is routed before the first
// one runs, so a batch that can't be served does nothing.
func (a *API) runBatch(c *call) (*answer, error) {
	subs, err := a.parseBatch(c)
	if err != nil {
		return nil, err
	}
	together, err := transactional(c)
	if err != nil {
		return nil, err
	}
	// An invalid session fails the whole batch.
	if _, err := a.resolve(c); err != nil {
		return nil, err
	}
	if together {
		return a.runTransaction(c, subs)
	}
	ctx, cancel := context.WithCancelCause(c.ctx)
	defer cancel(nil)
	results := make([][]byte, len(subs))
	var next, size atomic.Int64
	var wg sync.WaitGroup
	for range min(len(subs), batchParallel) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(subs) || ctx.Err() != nil {
					return
				}
				results[i] = a.runSub(ctx, c, &subs[i], i)
				if size.Add(int64(len(results[i]))) > maxBatchAnswer {
					cancel(errBatchAnswer)
				}
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	out := append(make([]byte, 0, int(size.Load())+len(subs)+2), '[')
	for i, r := range results {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, r...)
	}
	return &answer{body: append(out, ']')}, nil
}

var errBatchAnswer = parseerror.New(parseerror.ObjectTooLarge, "The answers of the batch are too large together.")

// internalEntry stands for a sub-request that failed through no fault of its own.
var internalEntry = []byte(`{"error":{"code":1,"error":"Internal server error."}}`)

// runSub runs one sub-request and returns its entry in the answer. A panic costs this entry only.
func (a *API) runSub(ctx context.Context, c *call, s *subRequest, i int) (entry []byte) {
	defer func() {
		if v := recover(); v != nil {
			a.o.Logger.Error("a handler panicked", "method", s.method, "path", s.path, "panic", v, "stack", string(debug.Stack()))
			entry = internalEntry
		}
	}()
	sub := &call{
		ctx: ctx, method: s.method, path: s.path, params: s.params, body: s.body, caller: c.caller, batch: true, context: c.context,
	}
	if c.writeID != "" {
		sub.writeID = c.writeID + "/" + strconv.Itoa(i)
	}
	res, err := a.run(s.route, sub)
	if err != nil {
		e := a.explain(err)
		if e.Internal() {
			return internalEntry
		}
		return append(e.AppendBody([]byte(`{"error":`)), '}')
	}
	entry = append([]byte(`{"success":`), res.body...)
	return append(entry, '}')
}

// parseBatch reads and routes the sub-requests.
func (a *API) parseBatch(c *call) ([]subRequest, error) {
	invalid := func(format string, args ...any) ([]subRequest, error) {
		return nil, parseerror.New(parseerror.InvalidJSON, format, args...)
	}
	raw := c.body.get("requests")
	if len(raw) == 0 || raw[0] != '[' {
		return invalid("requests must be an array")
	}
	list, err := parseBody(raw)
	if err != nil {
		return nil, err
	}
	n, limit := len(list.members), a.o.Config.RequestComplexity.BatchRequestLimit
	if c.caller.Master || c.caller.Maintenance || limit < 0 {
		limit = maxBatch
	}
	if n > min(limit, maxBatch) {
		return invalid("Batch request contains %d sub-requests, which exceeds the limit of %d.", n, min(limit, maxBatch))
	}
	bodies := make([]*body, n)
	paths := make([]string, n)
	for i, m := range list.members {
		ok := len(m.value) > 0 && m.value[0] == '{'
		if ok {
			if bodies[i], err = parseBody(m.value); err != nil {
				return nil, err
			}
			paths[i], ok = bodies[i].text("path")
		}
		if !ok {
			return invalid("batch request path must be a string")
		}
	}
	subs := make([]subRequest, n)
	for i, b := range bodies {
		below, ok := a.belowPrefix(c, paths[i])
		if !ok {
			return invalid("cannot route batch path %s", paths[i])
		}
		method := string(b.get("method"))
		if s, ok := b.text("method"); ok {
			method = s
		} else if method == "" {
			method = "undefined"
		}
		if first, ok := splitPath(below); ok && len(first) == 1 && equalFold(first[0], "batch") && equalFold(method, "post") {
			return invalid("nested batch requests are not allowed")
		}
		if err := a.checkSub(c.caller, methodOf(b), below); err != nil {
			return nil, err
		}
		if err := a.limitSub(c, methodOf(b), below); err != nil {
			return nil, err
		}
		subs[i].method, subs[i].path = method, below
	}
	for i, b := range bodies {
		s := &subs[i]
		if s.method != "HEAD" {
			s.route, s.params, err = a.router.match(s.method, s.path)
		}
		if s.route == nil || s.route.direct || err != nil {
			return invalid("cannot route %s %s", s.method, s.path)
		}
		s.body = &body{}
		if v := b.get("body"); len(v) > 0 && (v[0] == '{' || v[0] == '[') {
			if s.body, err = parseBody(v); err != nil {
				return nil, err
			}
		}
	}
	return subs, nil
}

// methodOf is a sub-request's method as limits and lists of routes see it.
func methodOf(sub *body) string {
	if m, ok := sub.text("method"); ok && m != "" {
		return strings.ToUpper(m)
	}
	return "GET"
}

// belowPrefix takes the API's prefix off a sub-request's path: the one the batch itself came by, or that of a configured
// URL.
func (a *API) belowPrefix(c *call, p string) (string, bool) {
	own := c.http.URL.EscapedPath()
	own = strings.TrimRight(own, "/")
	own = own[:len(own)-len("/batch")]
	best, found := "", false
	for _, prefix := range append([]string{own, strings.TrimSuffix(own, "/")}, a.prefixes...) {
		if len(prefix) >= len(best) && strings.HasPrefix(p, prefix) {
			best, found = prefix, true
		}
	}
	if !found {
		return "", false
	}
	below := path.Clean("/" + p[len(best):])
	if strings.HasSuffix(p, "/") && below != "/" {
		below += "/"
	}
	return below, true
}
