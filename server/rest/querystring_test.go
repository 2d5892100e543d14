package rest

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseQueryString(t *testing.T) {
	for _, test := range []struct{ name, raw, want string }{
		{"nothing", "", `{}`},
		{"plain", "a=1&b=x", `{"a":"1","b":"x"}`},
		{"no value", "a&b=", `{"a":"","b":""}`},
		{"escapes", "a=%7B%22x%22%3A1%7D+y", `{"a":"{\"x\":1} y"}`},
		{"broken escape", "a=%zz", `{"a":"%zz"}`},
		{"equals sign in the value", "a=b=c", `{"a":"b=c"}`},
		{"repeats", "a=1&a=2&a=3", `{"a":["1","2","3"]}`},
		{"brackets", "where[a][$gt]=1&where[b]=2", `{"where":{"a":{"$gt":"1"},"b":"2"}}`},
		{"escaped brackets", "where%5Ba%5D%5B%24gt%5D=1", `{"where":{"a":{"$gt":"1"}}}`},
		{"equals sign in brackets", "a[b=c]=d", `{"a":{"b=c":"d"}}`},
		{"appending", "a[]=1&a[]=2", `{"a":["1","2"]}`},
		{"one appended", "a[]=1", `{"a":["1"]}`},
		{"indexes", "a[1]=y&a[0]=x", `{"a":["x","y"]}`},
		{"sparse indexes close up", "a[1]=y&a[15]=z", `{"a":["y","z"]}`},
		{"large index is a name", "a[100]=x", `{"a":{"100":"x"}}`},
		{"objects in lists", "a[0][b]=1&a[1][b]=2", `{"a":[{"b":"1"},{"b":"2"}]}`},
		{"mixed with names", "a[0]=x&a[k]=y", `{"a":{"0":"x","k":"y"}}`},
		{"text beside brackets", "a=x&a[b]=y", `{"a":{"b":"y","x":true}}`},
		{"depth is bounded", "a[b][c][d][e][f][g][h]=1", `{"a":{"b":{"c":{"d":{"e":{"f":{"[g][h]":"1"}}}}}}}`},
		{"unbalanced", "a[b=1", `{"a[b":"1"}`},
		{"leading bracket", "[a]=1", `{"[a]":"1"}`},
		{"no name", "=1&&", `{}`},
		{"prototype", "a[__proto__][x]=1&a[y]=2", `{"a":{"y":"2"}}`},
		{"not UTF-8", "a=%ff", `{"a":"\ufffd"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := map[string]any{}
			for _, f := range parseQueryString(test.raw) {
				got[f.name] = f.value
			}
			var want any
			if err := json.Unmarshal([]byte(test.want), &want); err != nil {
				t.Fatal(err)
			}
			if g, w := marshal(t, got), marshal(t, want); g != w {
				t.Errorf("got %s, want %s", g, w)
			}
		})
	}
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestQueryStringIsBounded(t *testing.T) {
	if n := len(parseQueryString(strings.Repeat("a[]=1&", 5000))); n != 1 {
		t.Errorf("%d fields", n)
	}
	var names strings.Builder
	for i := range 3000 {
		names.WriteString("k" + strings.Repeat("x", i%50) + string(rune('a'+i%26)) + "=1&")
	}
	if n := len(parseQueryString(names.String())); n > maxParameters {
		t.Errorf("%d fields are more than the bound", n)
	}
}

func FuzzParseQueryString(f *testing.F) {
	for _, s := range []string{"a=1", "a[b][]=1&a[b][]=2", "a[[b]]=1", "%5b%5d=%", "a[0]=x&a=y&a[k]=z", "]=[", "\xae%5d="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		seen := map[string]bool{}
		for _, field := range parseQueryString(raw) {
			if field.name == "" || seen[field.name] {
				t.Errorf("%q gives the name %q twice or empty", raw, field.name)
			}
			seen[field.name] = true
			if d := depth(field.value); d > maxBrackets+2 {
				t.Errorf("%q gives a value of depth %d", raw, d)
			}
			if text := field.text(); field.value != any(text) && !json.Valid([]byte(text)) {
				t.Errorf("%q gives %q, which isn't JSON", raw, text)
			}
		}
	})
}

func depth(v any) int {
	most := 0
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			most = max(most, depth(e))
		}
	case map[string]any:
		for _, e := range v {
			most = max(most, depth(e))
		}
	default:
		return 0
	}
	return most + 1
}
