package cache

import "github.com/parsescale/parsescale/server/query"

// Estimates of memory in bytes, on 64-bit machines, of what the runtime allocates including the slack of growing slices
// and maps. TestBytesAreHonest compares them with the heap.
const (
	nodeSize  = 448 // node, its place in the LRU list and map, Entry
	edgeSize  = 48  // an edge and a ref
	depSize   = 240 // dep, its places in the map and in its class
	classSize = 1024
	exprSize  = 96  // a node of a where
	indexSize = 256 // a where's place in the predicate index
)

// sharedSize is the memory of Shared beside its text.
const sharedSize = 24

// rightsSize is the memory of Rights beside their node.
const rightsSize = 96

func (d *dep) size() int64 { return depSize + int64(len(d.id)) }

func (e *Entry) size() int64 {
	n := int64(cap(e.Body)) + int64(len(e.ETag))
	if e.Packed != nil {
		n += packedSize
	}
	if e.Shared != nil {
		n += sharedSize + int64(len(e.Shared.Reads))
	}
	for _, f := range e.Header {
		n += 32 + int64(len(f.Value)) // names are constants, shared by all
	}
	return n
}

// askSize is the memory of a where and of its place in the index.
func askSize(e query.Expr) int64 {
	n := int64(indexSize)
	query.Walk(e, func(e query.Expr) {
		n += exprSize
		switch e := e.(type) {
		case *query.Compare:
			n += int64(len(e.Path)) + valueSize(e.Value)
		case *query.In:
			n += int64(len(e.Path)) + valuesSize(e.Values)
		case *query.All:
			n += int64(len(e.Path)) + valuesSize(e.Values)
			for _, p := range e.Prefixes {
				n += 16 + int64(len(p))
			}
		case *query.ContainedBy:
			n += int64(len(e.Path)) + valuesSize(e.Values)
		case *query.Regex:
			n += 2048 + int64(len(e.Pattern))*16 // the compiled form
		case *query.Near:
			n += int64(len(e.Path)) + 40
		case *query.Box:
			n += int64(len(e.Path)) + 32
		case *query.Covers:
			n += int64(len(e.Path)) + 16
		case *query.Inside:
			n += int64(len(e.Path)) + valueSize(e.Polygon)
		case *query.Text:
			n += int64(len(e.Path) + len(e.Term) + len(e.Language))
		case *query.Unsupported:
			n += int64(len(e.Path)) + valueSize(e.Value)
		}
	})
	return n
}

func valuesSize(list []any) int64 {
	var n int64
	for _, v := range list {
		n += valueSize(v) + indexSize*7/8 // each may have a place in the index
	}
	return n
}

func valueSize(v any) int64 {
	const boxed = 16 // the interface's two words
	switch v := v.(type) {
	case string:
		return boxed + 16 + int64(len(v))
	case query.Pointer:
		return boxed + 32 + int64(len(v.ClassName)+len(v.ObjectID))
	case query.Polygon:
		return boxed + 24 + int64(16*len(v.Coordinates))
	case query.Bytes:
		return boxed + 16 + int64(len(v.Base64))
	case query.File:
		return boxed + 32 + int64(len(v.Name)+len(v.URL))
	case []any:
		n := int64(boxed + 24)
		for _, e := range v {
			n += valueSize(e)
		}
		return n
	case map[string]any:
		n := int64(boxed + 48)
		for name, e := range v {
			n += 32 + int64(len(name)) + valueSize(e)
		}
		return n
	}
	return boxed + 24
}
