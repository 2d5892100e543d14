package request

import (
	"encoding/binary"

	"github.com/zeebo/xxh3"
)

// Key names the answer to a request in the cache. Two requests with one key get the same bytes from a worker as long
// as nothing is written.
type Key struct {
	// Hi and Lo are a hash of 128 bits of what AppendKey appends, Len its length.
	Hi, Lo uint64
	Len    uint32
}

// keyVersion is raised when the encoding changes, so that gateways of two versions never share an entry.
const keyVersion = 1

// Key is the key of a Find or Get with a Query, and the zero Key of anything else.
func (r *Request) Key() Key {
	if r.Query == nil {
		return Key{}
	}
	var buf [512]byte
	b := r.AppendKey(buf[:0])
	h := xxh3.Hash128Seed(b, r.seed)
	return Key{h.Hi, h.Lo, uint32(len(b))}
}

// AppendKey appends everything that the answer depends on besides the data: app, keys, session token, Origin,
// operation, class, object id, query. The encoding is unambiguous, because each part but the last is preceded by its
// length. A request by /users and one by /classes/_User stay apart. What is appended holds secrets.
func (r *Request) AppendKey(dst []byte) []byte {
	route := byte(r.Op) << 1
	if r.alias {
		route |= 1
	}
	dst = append(dst, keyVersion, route)
	for _, part := range [...]string{r.AppID, r.Keys.Client, r.Keys.JavaScript, r.Keys.Windows, r.Keys.REST, r.Session,
		r.Origin, r.Class, r.ObjectID} {
		dst = binary.AppendUvarint(dst, uint64(len(part)))
		dst = append(dst, part...)
	}
	if r.Query == nil {
		return dst
	}
	return r.Query.AppendCanonical(dst)
}
