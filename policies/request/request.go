package request

import (
	"net/http"
	"slices"
	"time"

	"github.com/parsescale/parsescale/server/query"
)

// Input is a request as it came.
type Input struct {
	// Method is the HTTP method.
	Method string
	// Path is the escaped path below the mount, with its leading slash: "/classes/Game".
	Path string
	// RawQuery is the query string without the question mark.
	RawQuery string
	// Header has canonical names. It is only read.
	Header http.Header
	// Body is the body, or as much of it as was inspected. Sub-requests of a batch that lie beyond are neither counted
	// nor seen, so batches deserve a larger limit. The Request keeps no reference to it, except through Query.
	Body []byte
	// BodyComplete says that Body is the whole body; it is true for a request without one.
	BodyComplete bool
	// Mount is the path under which the API is mounted, without a slash at the end: "/parse". Paths in a batch start
	// with it.
	Mount string
	// Limits bound the queries that are parsed.
	Limits query.Limits
	// Seed makes keys unpredictable for clients; all requests of one cache need the same.
	Seed uint64
}

// ClientKeys are the keys that a request shows beside the application id. None of them is secret by itself, but a
// worker refuses requests without a right one.
type ClientKeys struct {
	Client, JavaScript, Windows, REST string
}

// Request is what an Input asks for.
type Request struct {
	Op Op
	// Write says that the request may change something; Classes then names the classes. Nil means any class, empty but
	// not nil none at all. For a read Classes is nil.
	Write   bool
	Classes []string
	// Once says that the write may run code of the app, or reach others, whose effects no transaction holds: who doesn't
	// know whether it happened must not send it again.
	Once bool
	// Method is the effective method, after a _method in the body: GET, HEAD, POST, PUT, DELETE, OPTIONS; "" if
	// it is none of these or can't be known.
	Method string
	// Class and ObjectID are those of the path; Name is that of a function or job.
	Class, ObjectID, Name string

	// AppID, Session (the session token) and Keys are what the worker goes by if it knows the app.
	AppID   string
	Session string
	Keys    ClientKeys
	// Privileged: a master key, maintenance key or Authorization field is present, rightly or not, or the header and the
	// body contradict each other.
	Privileged bool
	// Doubtful: the worker may go by other credentials than AppID, Session and Keys, for there are some in a body beside
	// those of the header, or in one that can't be read.
	Doubtful bool
	// MasterKey is the master key that is shown, rightly or not; of one in the header and one in the body, the header's.
	// It is a secret.
	MasterKey string
	Origin    string
	// NoCache: the client wants an answer from a worker. It may be stored in place of the entry that there is.
	// NoStore: neither look up nor store.
	NoCache, NoStore bool
	// OnlyIfCached: the client wants an answer from the cache or none.
	OnlyIfCached bool
	// MaxAge is how old an answer may be that the client takes; 0: as old as it is.
	MaxAge time.Duration
	// Cost is 1, or the number of sub-requests of a batch.
	Cost int
	// Parts are what a batch holds; nil for any other request, and for a batch that can't be read.
	Parts []Part
	// Query is the question of a Find or Get that could be read, else nil.
	Query *query.Query
	// Cacheable: the answer may be taken from the cache (unless NoCache) and stored there, unless Method is HEAD, whose answer has
	// no body. If not, Why says why not.
	Cacheable bool
	Why       string

	alias        bool // by /users or /roles rather than by /classes
	seed         uint64
	user, inBody string // application ids of the Authorization field and of the body
	unread       bool   // there may be another one in a body that can't be read
}

// Apps are the application ids that the request names, any of which its worker may go by: a worker that doesn't know the one of
// the header takes that of the body. more says that there may be another one, in a body that can't be read.
func (r *Request) Apps() (ids []string, more bool) {
	for _, id := range [...]string{r.AppID, r.user, r.inBody} {
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, r.unread
}

// Reasons why an answer isn't cached.
const (
	whyWrite       = "it is a write"
	whyOp          = "the operation is not cached"
	whyClass       = "the class is not cached"
	whyMethod      = "the method is not cached"
	whyApp         = "it names no application"
	whyPrivileged  = "it carries a master key, maintenance key or Authorization"
	whyConflict    = "header and body name different credentials"
	whyTwice       = "credentials are in both header and body"
	whyRepeated    = "a header field is repeated"
	whyCredentials = "the credentials in the body cannot be read"
	whyContext     = "it has a cloud context"
	whyRange       = "it has a Range"
	whyNoStore     = "the client says no-store"
	whyExtra       = "it has both a body and parameters, or a body with GET"
	whyParameters  = "its parameters cannot be read"
	whyPath        = "its path is unusual"
	whyExplain     = "it asks to explain"
	whyTime        = "it depends on the time"
	whyPreference  = "it reads from a secondary"
	whyRedirect    = "it redirects to another class"
)

// Classify finds out what a request asks for. It never fails: what it can't read is Other, a write of any class, and
// uncacheable.
func Classify(in Input) Request {
	r := Request{Cost: 1, seed: in.Seed}
	r.readHeader(in.Header)
	p := splitPath(in.Path)
	if r.classifyEarly(in.Method, &p) {
		if r.Op == FileUpload {
			r.readUpload(&in)
		}
		return r
	}
	var b body
	b.read(&in)
	switch b.state {
	case bodyObject:
		r.mergeBody(&b)
	case bodyOpaque:
		r.Doubtful, r.unread = true, true
	}
	r.Method = effectiveMethod(in.Method, &b)
	t := routeOf(r.Method, &p)
	if r.Method == "" && b.state == bodyOpaque && routeOf(http.MethodPost, &p).op == Batch {
		t = writing(Batch) // unless its end says another method; what counts is that it costs what a batch costs
	}
	r.applyRoute(t)
	if r.Write {
		r.refuse(whyWrite)
		r.nameClasses(&in, &b)
		return r
	}
	r.decide(&in, &b, &p)
	return r
}

// classifyEarly handles what parse-server answers before it reads the body as JSON, so that no _method counts.
func (r *Request) classifyEarly(method string, p *path) bool {
	switch {
	case method == http.MethodOptions:
		r.Op = Preflight
	case p.n >= 1 && equalFold(p.segments[0], "health"):
		r.Op = Health
	case p.n >= 2 && equalFold(p.segments[0], "files"):
		switch method {
		case http.MethodGet, http.MethodHead:
			r.Op = FileRead
		case http.MethodPost:
			r.Op, r.Write, r.Classes = FileUpload, true, []string{}
		case http.MethodDelete:
			r.Op, r.Write, r.Classes = FileDelete, true, []string{}
		default:
			return false
		}
	default:
		return false
	}
	r.Method = knownMethod(method)
	if r.Write {
		r.refuse(whyWrite)
	} else {
		r.refuse(whyOp)
	}
	return true
}

func (r *Request) applyRoute(t target) {
	r.Op, r.Write, r.Classes, r.Once = t.op, t.write, t.classes, t.once()
	r.Class, r.ObjectID, r.Name, r.alias = t.class, t.objectID, t.name, t.alias
	if t.odd && !t.write {
		r.refuse(whyPath)
	}
}

// refuse keeps the first reason.
func (r *Request) refuse(why string) {
	r.Cacheable = false
	if r.Why == "" {
		r.Why = why
	}
}

// decide whether the answer of a read may be cached.
func (r *Request) decide(in *Input, b *body, p *path) {
	switch {
	case r.Op != Find && r.Op != Get:
		r.refuse(whyOp)
		return
	case !cachedClass(r.Class):
		r.refuse(whyClass)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		r.refuse(whyMethod)
	case r.Privileged:
		r.refuse(whyPrivileged)
	case r.NoStore:
		r.refuse(whyNoStore)
	case r.AppID == "":
		r.refuse(whyApp)
	}
	if r.Why != "" {
		return
	}
	q, why := parseParameters(in, b, r)
	if why != "" {
		r.refuse(why)
		return
	}
	r.Query = q
	if why := unfit(q); why != "" {
		r.refuse(why)
		return
	}
	r.Cacheable = true
}

// cachedClass knows the classes whose answers follow the rules of ordinary objects.
func cachedClass(class string) bool {
	switch class {
	case "_User", "_Role", "_Product":
		return true
	}
	return class != "" && class[0] != '_'
}

func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions:
		return m
	}
	return ""
}

// effectiveMethod applies _method as parse-server does: on POST alone, when it is a string that isn't empty, in either
// case. A body that can't be read leaves the method of a POST unknown.
func effectiveMethod(method string, b *body) string {
	if method != http.MethodPost || b.state == bodyNone {
		return knownMethod(method)
	}
	if b.state == bodyOpaque {
		return ""
	}
	if len(b.method) == 0 || b.method[0] != '"' {
		return method
	}
	m, ok := text(b.method)
	switch {
	case !ok:
		return ""
	case m == "":
		return method
	}
	for _, known := range [...]string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		if equalFold(m, known) {
			return known
		}
	}
	return ""
}
