package sqlite

import "strings"

// appendACL appends the member ACL that _rperm and _wperm stand for: who may read in the order of _rperm, then who may
// only write. Both NULL: there is none.
func (r *row) appendACL(dst []byte, first int) []byte {
	read, hasRead := r.list(r.plan.read)
	write, hasWrite := r.list(r.plan.write)
	if !hasRead && !hasWrite {
		return dst
	}
	dst = append(comma(dst, first), `"ACL":{`...)
	start := len(dst)
	for rest := read; rest != ""; {
		var who string
		who, rest = cutString(rest)
		dst = append(append(comma(dst, start), who...), `:{"read":true`...)
		if holds(write, who) {
			dst = append(dst, `,"write":true`...)
		}
		dst = append(dst, '}')
	}
	for rest := write; rest != ""; {
		var who string
		who, rest = cutString(rest)
		if !holds(read, who) {
			dst = append(append(comma(dst, start), who...), `:{"write":true}`...)
		}
	}
	return append(dst, '}')
}

// list returns the inside of the JSON array in a column.
func (r *row) list(i int) (inside string, ok bool) {
	if i < 0 {
		return "", false
	}
	text, ok := r.values[i].(string)
	if !ok || len(text) < 2 {
		return "", false
	}
	return text[1 : len(text)-1], true
}

// cutString takes the first JSON string, quotes and all, off the inside of an array that query.AppendJSON wrote. Equal
// strings are equal texts there, so nothing needs to be decoded.
func cutString(list string) (first, rest string) {
	for i := 1; i < len(list); i++ {
		switch list[i] {
		case '\\':
			i++
		case '"':
			return list[:i+1], strings.TrimPrefix(list[i+1:], ",")
		}
	}
	return list, ""
}

func holds(list, who string) bool {
	for rest := list; rest != ""; {
		var one string
		if one, rest = cutString(rest); one == who {
			return true
		}
	}
	return false
}
