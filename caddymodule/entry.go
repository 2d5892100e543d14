package caddymodule

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parsescale/parsescale/policies/cache"
	"github.com/parsescale/parsescale/policies/coding"
	"github.com/parsescale/parsescale/policies/request"
)

// entry makes a cache entry, and its key, of the answer to a fill. It returns false for an answer that may not be stored.
func (x *exchange) entry(a answer, f *cache.Fill) (e *cache.Entry, deps cache.Dependencies, key cache.Key, ok bool) {
	if a.err != nil || a.unfit || a.Stream != nil || a.Status != http.StatusOK && !x.isMissing(a) {
		return
	}
	body := a.Body
	reads, ok := cache.ParseReads(a.Header.Get("X-Parsescale-Reads"))
	switch {
	case !ok || reads.NoStore:
		return nil, deps, key, false
	case x.route.bundled() && a.Header["X-Parsescale-Reads"] == nil:
		return nil, deps, key, false // the worker doesn't say what else the answer depends on
	case int64(len(body)) > x.route.maxEntry || a.Header["Set-Cookie"] != nil:
		return nil, deps, key, false
	case !strings.HasPrefix(a.Header.Get("Content-Type"), "application/json"):
		return nil, deps, key, false
	case forbidsStoring(a.Header["Cache-Control"], x.route.bundled()) || varies(a.Header["Vary"]):
		return nil, deps, key, false
	case x.req.Class == "_User" && bytes.Contains(body, []byte(`"sessionToken"`)):
		return nil, deps, key, false // tokens stay out of memory that outlives the request
	}
	if deps, ok = cache.FromBody(x.req.Query, body); !ok {
		return
	}
	deps.Add(reads)
	timed := !reads.Expires.IsZero() // signed URLs of files
	if key, ok = x.storeKey(f, &reads, a.Header["X-Parsescale-Rights"], &deps); !ok {
		return
	}
	e = &cache.Entry{
		Status: a.Status, Body: body, ETag: a.Header.Get("Etag"), Everyone: reads.Everyone && x.route.tellsRights(), Timed: timed,
		Stored: time.Now(), Expires: earlier(reads.Expires, time.Now().Add(x.route.ttl)), Until: reads.Expires,
	}
	if x.route.sharing {
		e.Shared = &cache.Shared{Reads: a.Header.Get("X-Parsescale-Reads")}
	}
	for name, values := range a.Header {
		if isInternal(name) || name == "Content-Length" || name == "Date" || name == "Etag" || strings.HasPrefix(name, "X-Ratelimit-") {
			continue // of the answer, of the moment, or of the one who asked
		}
		for _, v := range values {
			e.Header = append(e.Header, cache.Field{Name: name, Value: v})
		}
	}
	if x.route.packing && len(body) >= minPacked && mayEncode(a.Header) {
		e.Packed = new(cache.Packed)
		e.Header = withVary(e.Header)
	}
	return e, deps, key, true
}

// isMissing reports whether the answer is that of a get whose object isn't there, or is hidden from who asks.
func (x *exchange) isMissing(a answer) bool {
	return a.Status == http.StatusNotFound && x.req.Op == request.Get && x.req.ObjectID != "" && len(a.Body) < 512 &&
		bytes.HasPrefix(a.Body, []byte(`{"code":101,`))
}

// forbidsStoring reads an answer's Cache-Control (RFC 9111, section 5.2.2). Of our own workers the cache knows every write, so that
// what it has needs no validation.
func forbidsStoring(cacheControl []string, own bool) bool {
	for _, line := range cacheControl {
		for d := range strings.SplitSeq(line, ",") {
			name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(d)), "=")
			if name == "no-store" || name == "private" || name == "no-cache" && !own {
				return true
			}
		}
	}
	return false
}

// varies reports whether an answer depends on more than what is in the key of an entry.
func varies(vary []string) bool {
	for _, line := range vary {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name != "" && !strings.EqualFold(name, "Origin") && !strings.EqualFold(name, "Accept-Encoding") {
				return true
			}
		}
	}
	return false
}

// writeEntry answers with a cache entry. The header values go into one array made for this answer: other handlers may
// change a response's header values in place. What they said that the answer depends on, in Vary, stays: their own additions may
// depend on it.
func (x *exchange) writeEntry(e *cache.Entry, verdict string) {
	h := x.w.Header()
	values := make([]string, 0, len(e.Header)+5)
	put := func(name, value string) {
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	for i, f := range e.Header {
		if i > 0 && e.Header[i-1].Name == f.Name {
			h[f.Name] = append(h[f.Name], f.Value)
			continue
		}
		if had := h[f.Name]; f.Name == "Vary" && len(had) > 0 {
			h[f.Name] = append(slices.Clip(had), f.Value)
			continue
		}
		put(f.Name, f.Value) // in the place of what other handlers put there, as with an answer that isn't stored
	}
	x.expose(h)
	put("Cache-Status", "parsescale; "+verdict)
	body, in := x.bodyOf(e, verdict)
	etag := in.ETag(e.ETag)
	if etag != "" {
		put("Etag", etag)
	}
	// At the exact level an entry is as good as an answer given now; elsewhere its age tells how old it may be, as it does of
	// one that is served because no worker can be asked.
	if age := int(time.Since(e.Stored).Seconds()); age > 0 && (!x.route.bundled() || sourceOf(verdict) == stale) {
		put("Age", strconv.Itoa(age))
	}
	if e.Status == http.StatusOK && e.ETag != "" && anyMatches(x.r.Header["If-None-Match"], e) {
		delete(h, "Content-Type")
		x.answers(http.StatusNotModified, sourceOf(verdict))
		return
	}
	if in != coding.Identity {
		put("Content-Encoding", in.String())
	}
	put("Content-Length", strconv.Itoa(len(body)))
	x.answers(e.Status, sourceOf(verdict))
	if x.r.Method != http.MethodHead {
		x.out()
		_, _ = x.w.Write(body) // the client may be gone; the entry stays
	}
}

// etagMatches compares weakly, as If-None-Match asks (RFC 9110, section 13.1.2).
func etagMatches(lines []string, etag string) bool {
	want := strings.TrimPrefix(etag, "W/")
	for _, line := range lines {
		for t := range strings.SplitSeq(line, ",") {
			t = strings.TrimSpace(t)
			if t == "*" || strings.TrimPrefix(t, "W/") == want {
				return true
			}
		}
	}
	return false
}
