package cache

import (
	"github.com/parsescale/parsescale/server/query"
)

// Reading says what a question reads, as far as the question itself tells.
type Reading struct {
	// Class is the class asked for.
	Class string
	// ObjectID is the object asked for; "" for a find.
	ObjectID string
	// Query is the question; nil if it couldn't be read, which makes the answer depend on all of the class.
	Query *query.Query
	// Token: the answer is shared among requests with the same session token only, since nobody says what the token
	// stands for.
	Token bool
	// Everyone: all who ask join one fill, in the hope that the answer is everyone's. If it isn't, only the leader gets it.
	Everyone bool
	// Level is the level at which the answer is kept.
	Level Level
}

// sessionClasses decide who a session token stands for. Where workers don't say which of their objects that was, an
// answer depends on all of them.
var sessionClasses = [...]string{"_Session", "_User", "_Role", "_Join:users:_Role", "_Join:roles:_Role"}

// maxAsks bounds the wheres, and maxRelated the members of relations, that one answer depends on one by one.
const (
	maxAsks    = 32
	maxRelated = 32
)

// plan is what an answer depends on before it is known.
type plan struct {
	asks     []ask
	subjects []subject
	// unstorable: what it depends on can't be told.
	unstorable bool
}

func (r *Reading) plan() (p plan) {
	q := r.Query
	switch {
	case r.Class == "":
		p.unstorable = true
	case q != nil && (q.Redirect != "" || q.TimeDependent()):
		p.unstorable = true // objects of another class, or an answer that time alone changes
	case r.ObjectID != "":
		p.on(subject{r.Class, r.ObjectID, object})
	case q == nil:
		p.on(subject{r.Class, "", anything})
	default:
		p.ask(r.Class, q.Where, sortedBy(q.Order)...)
	}
	if r.Token {
		for _, class := range sessionClasses {
			p.on(subject{class, "", anything})
		}
	}
	return p
}

func (p *plan) on(s subject) { p.subjects = append(p.subjects, s) }

func sortedBy(order []query.Sort) []string {
	var fields []string
	for _, s := range order {
		fields = append(fields, s.Path.Root())
	}
	return fields
}

func (p *plan) ask(class string, where query.Expr, also ...string) {
	if len(p.asks) == maxAsks {
		p.unstorable = true
		return
	}
	p.asks = append(p.asks, ask{class, where, also})
	p.walk(class, where)
}

// walk adds what a where of a class reads outside the objects it is matched against.
func (p *plan) walk(class string, e query.Expr) {
	switch e := e.(type) {
	case query.And:
		p.walkAll(class, e)
	case query.Or:
		p.walkAll(class, e)
	case query.Nor:
		p.walkAll(class, e)
	case *query.InQuery:
		p.sub(e.Sub)
	case *query.Select:
		p.sub(e.Sub, e.Key.Root())
	case *query.RelatedTo:
		// The caller must be allowed to read the owner, so the owner counts too.
		p.on(subject{e.Object.ClassName, e.Object.ObjectID, visible})
		p.on(subject{joinClass(e.Key, e.Object.ClassName), e.Object.ObjectID, owner})
	case *query.Compare:
		p.members(class, e.Path, e.Value)
	case *query.In:
		p.members(class, e.Path, e.Values...)
	}
}

func (p *plan) walkAll(class string, list []query.Expr) {
	for _, e := range list {
		p.walk(class, e)
	}
}

func (p *plan) sub(s *query.SubQuery, also ...string) {
	if s == nil || s.Class == "" || s.Redirect != "" {
		p.unstorable = true
		return
	}
	p.ask(s.Class, s.Where, append(also, sortedBy(s.Order)...)...)
}

// members adds the memberships that a comparison with pointers asks for if the field is a relation; only the schema
// could tell, and the cache doesn't know it.
func (p *plan) members(class string, path query.Path, values ...any) {
	if path.Root() != string(path) {
		return
	}
	join := joinClass(string(path), class)
	if len(values) > maxRelated {
		p.on(subject{join, "", anything})
		return
	}
	for _, v := range values {
		switch v := v.(type) {
		case query.Pointer:
			p.on(subject{join, v.ObjectID, related})
		case map[string]any:
			if id, ok := v["objectId"].(string); ok {
				p.on(subject{join, id, related})
			}
		}
	}
}

const joinPrefix = "_Join:"

func joinClass(key, class string) string { return joinPrefix + key + ":" + class }
