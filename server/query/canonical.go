package query

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strings"
)

// The canonical form is a prefix code: every node and value starts with a tag that tells how it goes on, strings and
// lists with their length. Two questions have the same bytes only if they are the same up to
//   - the order and repetition of the terms of And, Or and Nor, and nesting of And in And and Or in Or,
//   - the order and repetition of the values of $in, $nin and $containedBy, and the order of those of $all,
//   - the order of members of objects, and the spelling of numbers, dates and strings,
//   - the order of keys, those among them that are always shown, the comment, and a preference for the primary.
const (
	tagAnd byte = iota
	tagOr
	tagNor
	tagCompare
	tagIn
	tagNotIn
	tagAll
	tagPrefixes
	tagContainedBy
	tagExists
	tagNotExists
	tagRegex
	tagInQuery
	tagNotInQuery
	tagSelect
	tagDontSelect
	tagRelatedTo
	tagNear
	tagBox
	tagInside
	tagCovers
	tagText
	tagUnsupported

	tagNil
	tagFalse
	tagTrue
	tagNumber
	tagString
	tagDate
	tagPointer
	tagGeoPoint
	tagPolygon
	tagBytes
	tagFile
	tagRelation
	tagArray
	tagMap
	tagForeign
)

// canonicalVersion changes when the form does.
const canonicalVersion = 4

// AppendCanonical appends the canonical form of q: equal questions give equal bytes, different ones different bytes.
func (q *Query) AppendCanonical(dst []byte) []byte {
	c := canonical{dst: append(dst, canonicalVersion)}
	c.string(q.Class)
	c.expr(q.Where)
	c.order(q.Order)
	c.int(max(q.Limit, -1))
	c.int(q.Skip)
	c.flag(q.Count)
	c.flag(q.IncludeAll)
	c.flag(q.Keys != nil)
	c.sorted(len(q.Keys), true, func(i int) {
		if !alwaysShown(q.Keys[i]) {
			c.string(q.Keys[i])
		}
	})
	c.strings(q.ExcludeKeys)
	c.flag(q.Score)
	c.length(len(q.Include))
	for _, p := range q.Include {
		c.string(string(p))
	}
	for _, s := range [...]string{q.Redirect, q.Explain, q.Hint} {
		c.string(s)
	}
	for _, s := range [...]string{q.ReadPreference, q.IncludeReadPreference, q.SubqueryPreference} {
		// PRIMARY isn't what a question has that doesn't say: on MongoDB a deployment may have another default.
		c.string(strings.ToUpper(s))
	}
	return c.dst
}

// AppendCanonical appends the canonical form of a where.
func AppendCanonical(dst []byte, e Expr) []byte {
	c := canonical{dst: dst}
	c.expr(e)
	return c.dst
}

// canonical appends to dst. spare and spans are what sorting needs, used as stacks.
type canonical struct {
	dst   []byte
	spare []byte
	spans []span
}

type span struct{ from, to int }

func (c *canonical) length(n int) { c.dst = binary.AppendUvarint(c.dst, uint64(n)) }

func (c *canonical) int(n int) { c.dst = binary.AppendVarint(c.dst, int64(n)) }

func (c *canonical) tag(t byte) { c.dst = append(c.dst, t) }

func (c *canonical) flag(b bool) {
	if b {
		c.tag(1)
	} else {
		c.tag(0)
	}
}

func (c *canonical) string(s string) {
	c.length(len(s))
	c.dst = append(c.dst, s...)
}

func (c *canonical) strings(list []string) {
	c.length(len(list))
	for _, s := range list {
		c.string(s)
	}
}

func (c *canonical) order(order []Sort) {
	c.length(len(order))
	for _, s := range order {
		c.string(string(s.Path))
		c.flag(s.Desc)
	}
}

// sorted appends n items, made one by one by item, in the order of their bytes, after how many there are. Items that
// append nothing are left out, and so are repeated ones if unique.
func (c *canonical) sorted(n int, unique bool, item func(i int)) {
	base := len(c.spans)
	start := len(c.dst)
	for i := range n {
		from := len(c.dst)
		if item(i); len(c.dst) > from {
			c.spans = append(c.spans, span{from, len(c.dst)})
		}
	}
	c.rearrange(start, base, unique)
}

// rearrange sorts the spans from base on, which make up dst from start on.
func (c *canonical) rearrange(start, base int, unique bool) {
	spans := c.spans[base:]
	compare := func(a, b span) int { return bytes.Compare(c.dst[a.from:a.to], c.dst[b.from:b.to]) }
	slices.SortFunc(spans, compare)
	if unique {
		spans = slices.CompactFunc(spans, func(a, b span) bool { return compare(a, b) == 0 })
	}
	c.spare = append(c.spare[:0], c.dst[start:]...)
	c.dst = c.dst[:start]
	c.length(len(spans))
	for _, s := range spans {
		c.dst = append(c.dst, c.spare[s.from-start:s.to-start]...)
	}
	c.spans = c.spans[:base]
}

// terms appends the terms of a logical node; those of a nested node of the same kind are its own.
func (c *canonical) terms(tag byte, list []Expr) {
	if len(list) == 1 && tag != tagNor {
		c.expr(single(list[0]))
		return
	}
	mark := len(c.dst)
	c.tag(tag)
	start, base := len(c.dst), len(c.spans)
	c.flatten(tag, list)
	if tag != tagNor && len(c.spans) == base+1 {
		// One term is left: it stands for itself.
		only := c.spans[base]
		c.dst = append(c.dst[:mark], c.dst[only.from:only.to]...)
		c.spans = c.spans[:base]
		return
	}
	c.rearrange(start, base, true)
	// What was repeated may leave one term too: tag, count 1, term.
	if tag != tagNor && c.dst[start] == 1 {
		c.dst = append(c.dst[:mark], c.dst[start+1:]...)
	}
}

func (c *canonical) flatten(tag byte, list []Expr) {
	for _, e := range list {
		switch e := single(e).(type) {
		case nil:
			if tag == tagAnd {
				continue
			}
		case And:
			if tag == tagAnd {
				c.flatten(tag, e)
				continue
			}
		case Or:
			if tag != tagAnd {
				// NOT (a OR (b OR c)) too.
				c.flatten(tag, e)
				continue
			}
		}
		from := len(c.dst)
		c.expr(e)
		c.spans = append(c.spans, span{from, len(c.dst)})
	}
}

// single unwraps And and Or of one term.
func single(e Expr) Expr {
	for {
		switch list := e.(type) {
		case And:
			if len(list) == 1 {
				e = list[0]
				continue
			}
		case Or:
			if len(list) == 1 {
				e = list[0]
				continue
			}
		}
		return e
	}
}

func (c *canonical) expr(e Expr) {
	switch e := e.(type) {
	case nil:
		c.terms(tagAnd, nil)
	case And:
		c.terms(tagAnd, e)
	case Or:
		c.terms(tagOr, e)
	case Nor:
		c.terms(tagNor, e)
	case *Compare:
		c.tag(tagCompare)
		c.string(string(e.Path))
		c.tag(byte(e.Op))
		c.flag(e.Relative)
		c.value(e.Value)
	case *In:
		c.either(e.Not, tagNotIn, tagIn)
		c.string(string(e.Path))
		c.values(e.Values, true)
	case *All:
		if len(e.Prefixes) > 0 {
			c.tag(tagPrefixes)
			c.string(string(e.Path))
			c.sorted(len(e.Prefixes), false, func(i int) { c.string(e.Prefixes[i]) })
			return
		}
		c.tag(tagAll)
		c.string(string(e.Path))
		c.values(e.Values, false)
	case *ContainedBy:
		c.tag(tagContainedBy)
		c.string(string(e.Path))
		c.values(e.Values, true)
	case *Exists:
		c.either(e.Want, tagExists, tagNotExists)
		c.string(string(e.Path))
	case *Regex:
		c.tag(tagRegex)
		c.string(string(e.Path))
		c.string(e.Pattern)
		c.options(e.Options)
	case *InQuery:
		c.either(e.Not, tagNotInQuery, tagInQuery)
		c.string(string(e.Path))
		c.subQuery(e.Sub)
	case *Select:
		c.either(e.Not, tagDontSelect, tagSelect)
		c.string(string(e.Path))
		c.string(string(e.Key))
		c.subQuery(e.Sub)
	case *RelatedTo:
		c.tag(tagRelatedTo)
		c.string(e.Object.ClassName)
		c.string(e.Object.ObjectID)
		c.string(e.Key)
	case *Near:
		c.tag(tagNear)
		c.string(string(e.Path))
		c.value(e.Point)
		c.number(e.Metres)
		c.flag(e.Sort)
	case *Box:
		c.tag(tagBox)
		c.string(string(e.Path))
		c.value(e.Corner)
		c.value(e.Other)
	case *Inside:
		c.tag(tagInside)
		c.string(string(e.Path))
		c.value(e.Polygon)
	case *Covers:
		c.tag(tagCovers)
		c.string(string(e.Path))
		c.value(e.Point)
	case *Text:
		c.tag(tagText)
		c.string(string(e.Path))
		c.string(e.Term)
		c.string(e.Language)
	case *Unsupported:
		c.tag(tagUnsupported)
		c.string(string(e.Path))
		c.string(e.Operator)
		c.value(e.Value)
	}
}

func (c *canonical) either(b bool, yes, no byte) {
	if b {
		c.tag(yes)
	} else {
		c.tag(no)
	}
}

// options appends the letters of $options, sorted, each once.
func (c *canonical) options(s string) {
	var seen byte
	for i, letter := range []byte("imsux") {
		for j := 0; j < len(s); j++ {
			if s[j] == letter {
				seen |= 1 << i
			}
		}
	}
	c.tag(seen)
}

func (c *canonical) subQuery(s *SubQuery) {
	c.flag(s != nil)
	if s == nil {
		return
	}
	c.string(s.Class)
	c.string(s.Redirect)
	c.expr(s.Where)
	c.order(s.Order)
	c.int(s.Limit)
	c.int(s.Skip)
}

func (c *canonical) values(list []any, unique bool) {
	c.sorted(len(list), unique, func(i int) { c.value(list[i]) })
}

func (c *canonical) number(f float64) {
	if f == 0 {
		f = 0 // not -0
	}
	c.dst = binary.BigEndian.AppendUint64(c.dst, math.Float64bits(f))
}

func (c *canonical) value(v any) {
	switch v := v.(type) {
	case nil:
		c.tag(tagNil)
	case bool:
		c.either(v, tagTrue, tagFalse)
	case float64:
		c.tag(tagNumber)
		c.number(v)
	case string:
		c.tag(tagString)
		c.string(v)
	case Date:
		c.tag(tagDate)
		c.dst = binary.AppendVarint(c.dst, v.UnixMilli())
	case Pointer:
		c.tag(tagPointer)
		c.string(v.ClassName)
		c.string(v.ObjectID)
	case GeoPoint:
		c.tag(tagGeoPoint)
		c.number(v.Latitude)
		c.number(v.Longitude)
	case Polygon:
		c.tag(tagPolygon)
		c.length(len(v.Coordinates))
		for _, p := range v.Coordinates {
			c.number(p[0])
			c.number(p[1])
		}
	case Bytes:
		c.tag(tagBytes)
		c.string(v.Base64)
	case File:
		c.tag(tagFile)
		c.string(v.Name)
		c.string(v.URL)
	case Relation:
		c.tag(tagRelation)
		c.string(v.ClassName)
	case []any:
		c.tag(tagArray)
		c.length(len(v))
		for _, e := range v {
			c.value(e)
		}
	case map[string]any:
		c.tag(tagMap)
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		c.length(len(names))
		for _, name := range names {
			c.string(name)
			c.value(v[name])
		}
	default:
		c.tag(tagForeign)
	}
}
