package rowjson

import "slices"

// appendACL appends the member ACL that _rperm and _wperm stand for: who may read in the order of _rperm, then who may
// only write. Both NULL: there is none.
func (r *Row) appendACL(dst []byte, first int) []byte {
	var hasRead, hasWrite bool
	r.readers, hasRead = r.list(r.readers[:0], r.plan.read)
	r.writers, hasWrite = r.list(r.writers[:0], r.plan.write)
	if !hasRead && !hasWrite {
		return dst
	}
	dst = append(comma(dst, first), `"ACL":{`...)
	start := len(dst)
	for _, who := range r.readers {
		dst = append(append(comma(dst, start), who...), `:{"read":true`...)
		if slices.Contains(r.writers, who) {
			dst = append(dst, `,"write":true`...)
		}
		dst = append(dst, '}')
	}
	for _, who := range r.writers {
		if !slices.Contains(r.readers, who) {
			dst = append(append(comma(dst, start), who...), `:{"write":true}`...)
		}
	}
	return append(dst, '}')
}

// Public implements storage.Row.
func (r *Row) Public() bool {
	if r.plan.read < 0 {
		return false
	}
	var private bool
	r.readers, private = r.list(r.readers[:0], r.plan.read)
	return !private || slices.Contains(r.readers, `"*"`)
}

// list appends the elements of a half of the ACL, if the row has it.
func (r *Row) list(dst []string, i int) ([]string, bool) {
	if i < 0 || r.values.Null(i) {
		return dst, false
	}
	return r.values.AppendStrings(dst, i), true
}
