package query

import "strconv"

// AppendShape appends what a where asks, without the values that it asks for: fields, operators, and ? in the place of
// each value, as in `price $lt ?, tags $in [3 values]`. It is for those who look at what a gateway does: values may be
// secret. Wheres of one shape may differ; nothing may be decided by it.
func AppendShape(dst []byte, e Expr) []byte {
	switch e := e.(type) {
	case nil:
		return append(dst, "everything"...)
	case And:
		return appendShapes(dst, "", e)
	case Or:
		return appendShapes(dst, "$or", e)
	case Nor:
		return appendShapes(dst, "$nor", e)
	case *Compare:
		return append(appendOperator(dst, e.Path, compareNames[e.Op]), " ?"...)
	case *In:
		return appendCount(appendOperator(dst, e.Path, either(e.Not, "$nin", "$in")), len(e.Values))
	case *All:
		return appendCount(appendOperator(dst, e.Path, "$all"), len(e.Values)+len(e.Prefixes))
	case *ContainedBy:
		return appendCount(appendOperator(dst, e.Path, "$containedBy"), len(e.Values))
	case *Exists:
		return append(appendOperator(dst, e.Path, "$exists"), either(e.Want, " true", " false")...)
	case *Regex:
		return append(appendOperator(dst, e.Path, "$regex"), " ?"...)
	case *InQuery:
		return appendSubShape(appendOperator(dst, e.Path, either(e.Not, "$notInQuery", "$inQuery")), e.Sub)
	case *Select:
		dst = appendOperator(dst, e.Path, either(e.Not, "$dontSelect", "$select"))
		return append(append(appendSubShape(dst, e.Sub), '.'), e.Key...)
	case *RelatedTo:
		return append(append(append(append(dst, "$relatedTo "...), e.Object.ClassName...), '.'), e.Key...)
	case *Near:
		return append(appendOperator(dst, e.Path, "$nearSphere"), " ?"...)
	case *Box:
		return append(appendOperator(dst, e.Path, "$within"), " ?"...)
	case *Inside:
		return append(appendOperator(dst, e.Path, "$geoWithin"), " ?"...)
	case *Covers:
		return append(appendOperator(dst, e.Path, "$geoIntersects"), " ?"...)
	case *Text:
		return append(appendOperator(dst, e.Path, "$text"), " ?"...)
	case *Unsupported:
		return append(appendOperator(dst, e.Path, e.Operator), " ?"...)
	}
	return append(dst, '?')
}

// compareNames are the operators of Compare; the value itself stands for $eq.
var compareNames = [...]string{Eq: "", Ne: "$ne", Lt: "$lt", Lte: "$lte", Gt: "$gt", Gte: "$gte"}

// maxShapeTerms bounds how many terms of a list are spelt out.
const maxShapeTerms = 20

func appendShapes(dst []byte, operator string, list []Expr) []byte {
	if operator != "" {
		dst = append(append(dst, operator...), '(')
	} else if len(list) == 0 {
		return append(dst, "everything"...)
	}
	for i, e := range list {
		if i > 0 {
			dst = append(dst, either(operator == "", ", ", " | ")...)
		}
		if i == maxShapeTerms {
			dst = append(strconv.AppendInt(dst, int64(len(list)-i), 10), " more"...)
			break
		}
		dst = AppendShape(dst, e)
	}
	if operator != "" {
		dst = append(dst, ')')
	}
	return dst
}

func appendOperator(dst []byte, path Path, operator string) []byte {
	dst = append(dst, path...)
	if operator != "" {
		dst = append(append(dst, ' '), operator...)
	}
	return dst
}

func appendCount(dst []byte, n int) []byte {
	return append(strconv.AppendInt(append(dst, " ["...), int64(n), 10), either(n == 1, " value]", " values]")...)
}

func appendSubShape(dst []byte, s *SubQuery) []byte {
	if s == nil {
		return append(dst, "(?)"...)
	}
	dst = append(append(append(dst, " ("...), s.Class...), ": "...)
	return append(AppendShape(dst, s.Where), ')')
}

func either(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}
