package request

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"
)

var jsonSeeds = []string{
	`{}`, ` { } `, `{"a":1}`, `{"a":1,"a":2}`, `{"a":{"b":[1,2,{}]},"c":"\"}"}`, `{"\u0061\ud83d\ude00\ud800":null}`, `{"a":-0.5e+10}`,
	`{"a":}`, `{"a" 1}`, `{a:1}`, `{"a":1,}`, `{"a":01}`, `{"a":1.}`, `{"a":1e}`, `{"a":-}`, `{"a":tru}`, `{"a":"\x"}`, "{\"a\":\"\n\"}",
	`{"a":[}`, `{"a":[1,]}`, `[]`, `1`, ``, `{"a":1}}`, `{"a":"\u00g0"}`, `{"":""}`, `{"a":NaN}`, `{"a":1e1000}`, "\ufeff{}", "{\"\xff\":1}",
}

// slowJSON decodes exactly one value. Numbers stay as they are: in JavaScript 1e1000 is a number, too.
func slowJSON(data []byte, v any) bool {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(v) == nil && json.Valid(data)
}

// The scanner takes what encoding/json takes, and sees the same members.
func FuzzMembers(f *testing.F) {
	for _, s := range jsonSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got := map[string]any{}
		ok := members(data, func(name, value []byte) bool {
			var v any
			if !slowJSON(value, &v) {
				t.Fatalf("value %q of %q", value, data)
			}
			got[string(bytes.ToValidUTF8(name, []byte("\ufffd")))] = v
			return true
		})
		var want map[string]any
		valid := slowJSON(data, &want) && want != nil
		if ok && !valid {
			t.Fatalf("%q is taken, but it isn't a JSON object", data)
		}
		if valid && !ok && len(data) < maxDepth {
			t.Fatalf("%q is a JSON object, but it isn't taken", data)
		}
		if ok && utf8.Valid(data) && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %v, want %v", data, got, want)
		}
	})
}

func TestText(t *testing.T) {
	for value, want := range map[string]string{
		`""`: "", `"a"`: "a", `"\u0061\"\\\/\b\f\n\r\t"`: "a\"\\/\b\f\n\r\t", `"\ud83d\ude00"`: "😀", `"é"`: "é",
	} {
		if got, ok := text([]byte(value)); !ok || got != want {
			t.Errorf("%s: %q, %v", value, got, ok)
		}
	}
	for _, value := range []string{`1`, `null`, `{}`, ``, `"\ud800"`, `"\ud800\u0061"`, `"\ude00"`, "\"\xff\"", `"\ufffd"`} {
		if got, ok := text([]byte(value)); ok {
			t.Errorf("%s is %q, want no string", value, got)
		}
	}
}

func TestMembersStopAtTheDepthLimit(t *testing.T) {
	nested := func(n int) []byte {
		return append(append([]byte(`{"a":`), bytes.Repeat([]byte("["), n)...), append(bytes.Repeat([]byte("]"), n), '}')...)
	}
	all := func(_, _ []byte) bool { return true }
	if !members(nested(maxDepth-1), all) {
		t.Error("refused within the limit")
	}
	if members(nested(maxDepth+1), all) || members(nested(1_000_000), all) {
		t.Error("taken beyond the limit")
	}
}
