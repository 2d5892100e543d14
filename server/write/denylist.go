package write

import (
	"fmt"
	"regexp"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
)

// denylist refuses bodies with certain keys or values, wherever they stand.
type denylist []denied

type denied struct {
	key, value *regexp.Regexp // nil: not asked for
	exact      any            // the value, for values that aren't strings
	text       string         // as the message shows it
}

func newDenylist(keywords []Keyword) denylist {
	var out denylist
	for _, k := range keywords {
		d := denied{exact: k.Value}
		shown := query.Object{Values: map[string]any{}}
		if k.Key != "" {
			d.key = pattern(k.Key)
			shown.Names = append(shown.Names, "key")
			shown.Values["key"] = k.Key
		}
		if k.Value != nil {
			d.value = pattern(fmt.Sprint(k.Value))
			shown.Names = append(shown.Names, "value")
			shown.Values["value"] = k.Value
		}
		if len(shown.Names) == 0 {
			continue
		}
		d.text = string(appendObject(nil, shown.Names, shown.Values))
		out = append(out, d)
	}
	return out
}

// pattern compiles a keyword; one that isn't a regular expression Go knows stands for itself.
func pattern(s string) *regexp.Regexp {
	re, err := regexp.Compile(s)
	if err != nil {
		return regexp.MustCompile(regexp.QuoteMeta(s))
	}
	return re
}

// check returns error 105 if the body holds what is denied.
func (l denylist) check(o *query.Object) error {
	for i := range l {
		d := &l[i]
		for name, v := range o.Values {
			if d.matches(name, v) || d.inside(v) {
				return parseerror.New(parseerror.InvalidKeyName, "Prohibited keyword in request data: %s.", d.text)
			}
		}
	}
	return nil
}

// Denied returns error 105 if values that are kept elsewhere, such as the metadata of files, hold what is denied.
func (p *Path) Denied(values map[string]any) error {
	return p.denied.check(&query.Object{Values: values})
}

func (d *denied) matches(name string, v any) bool {
	if d.key != nil && !d.key.MatchString(name) {
		return false
	}
	if d.value == nil {
		return true
	}
	if s, ok := v.(string); ok {
		return d.value.MatchString(s)
	}
	return query.Equal(v, d.exact)
}

// inside looks at what a value holds. The depth of values is bounded by the decoder.
func (d *denied) inside(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			if d.matches(name, e) || d.inside(e) {
				return true
			}
		}
	case []any:
		for _, e := range v {
			if d.key == nil && d.matches("", e) || d.inside(e) {
				return true
			}
		}
	case query.Pointer:
		return d.matches("className", v.ClassName) || d.matches("objectId", v.ObjectID)
	case query.File:
		return d.matches("name", v.Name) || v.URL != "" && d.matches("url", v.URL)
	}
	return false
}

// appendObject appends a JSON object whose members keep their order.
func appendObject(dst []byte, names []string, values map[string]any) []byte {
	dst = append(dst, '{')
	for i, n := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(query.AppendString(dst, n), ':')
		dst = query.AppendJSON(dst, values[n])
	}
	return append(dst, '}')
}
