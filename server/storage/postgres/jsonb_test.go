package postgres

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/query"
)

func TestCompact(t *testing.T) {
	for in, want := range map[string]string{
		`{"a": 1, "b": [1, 2.50, -3]}`:                       `{"a":1,"b":[1,2.5,-3]}`,
		`{"k y": " a , b : \" \\ "}`:                         `{"k y":" a , b : \" \\ "}`,
		`[1000000000000000000000, 0.0000001, 1.0, -0, 1e5]`:  `[1e+21,1e-7,1,0,100000]`,
		`[123456789012345678, 9007199254740993]`:             `[123456789012345680,9007199254740992]`,
		`[true, false, null, "", {}, []]`:                    `[true,false,null,"",{},[]]`,
		`"\u0001é` + "\U0001F600" + `"`:                      `"\u0001é` + "\U0001F600" + `"`,
		`[` + strings.Repeat("9", 400) + `]`:                 `[null]`,
		`{"__type": "Date", "iso": "2020-01-01T00:00:00.0"}`: `{"__type":"Date","iso":"2020-01-01T00:00:00.0"}`,
	} {
		if got := string(appendCompact([]byte("x"), []byte(in))); got != "x"+want {
			t.Errorf("%s became %s, want %s", in, got[1:], want)
		}
	}
}

// FuzzCompact: it means the same, and has no space outside of strings.
func FuzzCompact(f *testing.F) {
	for _, s := range []string{`{"a": [1, 2.5e10, "x \" y"]}`, `[ -0.0, 1e400 ]`, `"unfinished`, `\`, `{"a":-}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := appendCompact(nil, []byte(s))
		if !json.Valid([]byte(s)) || strings.ContainsAny(s, "\t\n\r") {
			return // the server sends no such thing; it must not crash
		}
		var before, after any
		if json.Unmarshal([]byte(s), &before) != nil {
			return // a number that is too large
		}
		if err := json.Unmarshal(out, &after); err != nil {
			t.Fatalf("%s became %s: %v", s, out, err)
		}
		if string(query.AppendJSON(nil, before)) != string(query.AppendJSON(nil, after)) {
			t.Fatalf("%s became %s", s, out)
		}
	})
}

// FuzzValues: whatever the server sends, reading it doesn't crash.
func FuzzValues(f *testing.F) {
	f.Add(texts([]string{"a", ""}).append(nil))
	f.Add(array{kind: typeFloat8, items: []any{1.5}}.append(nil))
	f.Add([]byte{0, 0, 0, 1})
	f.Fuzz(func(_ *testing.T, v []byte) {
		textArray(v)
		geoPoint(v)
		polygon(v)
		float(v)
		bigint(v)
		milliseconds(v)
	})
}

func TestTextArray(t *testing.T) {
	for _, list := range [][]string{{}, {"*"}, {"a", "", `q"é`, "role:X"}} {
		var got []string
		for _, s := range textArray(texts(list).append(nil)) {
			got = append(got, string(s))
		}
		if strings.Join(got, "|") != strings.Join(list, "|") || len(got) != len(list) {
			t.Errorf("%q came back as %q", list, got)
		}
	}
}
