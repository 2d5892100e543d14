package request

import (
	"github.com/zeebo/xxh3"

	"github.com/parsescale/parsescale/policies/parts"
)

// Key names the answer to a request in the cache. Two requests with one key get the same bytes from a worker as long
// as nothing is written.
type Key struct {
	// Hi and Lo are a hash of 128 bits of what is named, Len its length.
	Hi, Lo uint64
	Len    uint32
}

// keyVersion is raised when the encoding changes, so that gateways of two versions never share an entry.
const keyVersion = 2

// Scope says who shares an answer: who asks the same in the same scope. The zero Scope is all who have no session.
type Scope struct {
	kind scopeKind
	name string
}

type scopeKind byte

const (
	byNobody scopeKind = iota
	byEveryone
	byToken
	byRights
)

// Everyone is the scope of an answer that doesn't depend on who asks.
func Everyone() Scope { return Scope{kind: byEveryone} }

// Rights is the scope of those whose session stands for the same user with the same roles, which name tells.
func Rights(name string) Scope { return Scope{kind: byRights, name: name} }

// Token is the scope of the request's own session token, where it isn't known what it stands for.
func (r *Request) Token() Scope {
	if r.Session == "" {
		return Scope{}
	}
	return Scope{kind: byToken, name: r.Session}
}

// Key is the key of a Find or Get with a Query in a scope, and the zero Key of anything else.
func (r *Request) Key(s Scope) Key {
	if r.Query == nil {
		return Key{}
	}
	var buf [512]byte
	return r.hash(s.append(r.AppendQuestion(buf[:0])))
}

// KeysIn are the keys in two scopes, at little more than the price of one.
func (r *Request) KeysIn(s, t Scope) (inS, inT Key) {
	if r.Query == nil {
		return Key{}, Key{}
	}
	var buf [512]byte
	b := r.AppendQuestion(buf[:0])
	n := len(b)
	b = s.append(b)
	inS = r.hash(b)
	return inS, r.hash(t.append(b[:n]))
}

// SessionKey names what the request's session token stands for; the zero Key if it has none. Only such hashes of
// tokens are kept and compared, made with a seed that clients don't know: how long a look-up takes tells nothing of a
// token.
func (r *Request) SessionKey() Key {
	if r.Session == "" {
		return Key{}
	}
	var buf [256]byte
	b := append(buf[:0], keyVersion, byte(Ops)<<1) // as no question begins
	b = parts.AppendText(b, r.AppID)
	return r.hash(append(b, r.Session...))
}

func (r *Request) hash(b []byte) Key {
	h := xxh3.Hash128Seed(b, r.seed)
	return Key{h.Hi, h.Lo, uint32(len(b))}
}

// AppendQuestion appends everything that the answer depends on besides the data and who asks: app, keys, Origin,
// operation, class, object id, query. The encoding is unambiguous and a prefix code, because each part but the last is
// preceded by its length. A request by /users and one by /classes/_User stay apart.
func (r *Request) AppendQuestion(dst []byte) []byte {
	route := byte(r.Op) << 1
	if r.alias {
		route |= 1
	}
	dst = append(dst, keyVersion, route)
	for _, part := range [...]string{r.AppID, r.Keys.Client, r.Keys.JavaScript, r.Keys.Windows, r.Keys.REST,
		r.Origin, r.Class, r.ObjectID} {
		dst = parts.AppendText(dst, part)
	}
	if r.Query == nil {
		return dst
	}
	return r.Query.AppendCanonical(dst)
}

// AppendKey appends what Key is a hash of: for those who need another hash, of which nobody can tell what it is made of.
func (r *Request) AppendKey(dst []byte, s Scope) []byte { return s.append(r.AppendQuestion(dst)) }

// append appends a scope, whose name goes on to the end. What is appended may hold secrets.
func (s Scope) append(dst []byte) []byte { return append(append(dst, byte(s.kind)), s.name...) }
