package query

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func date(t testing.TB, iso string) Date {
	t.Helper()
	at, ok := parseTime(iso)
	if !ok {
		t.Fatalf("%q is no date", iso)
	}
	return Date{at}
}

func TestDecode(t *testing.T) {
	tests := []struct {
		name, json string
		want       any
	}{
		{"null", `null`, nil},
		{"true with white space", " \t\r\n true ", true},
		{"number", `-12.5e+1`, -125.0},
		{"beyond 2^53", `12345678901234567890`, 12345678901234567890.0},
		{"the smallest double", `5e-324`, 5e-324},
		{"underflow", `1e-400`, 0.0},
		{"escapes", `"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"`, "\"\\/\b\f\n\r\té😀"},
		{"unpaired surrogates", `"\ud83dx\ude00\ud83d\u0041"`, "\uFFFDx\uFFFD\uFFFDA"},
		{"UTF-8", `"é😀"`, "é😀"},
		{"array", `[1,[],{}]`, []any{1.0, []any{}, map[string]any{}}},
		{"the last of a repeated name", `{"a":1,"a":2}`, map[string]any{"a": 2.0}},
		{"Pointer", `{"__type":"Pointer","className":"A","objectId":"x"}`, Pointer{"A", "x"}},
		{"nested Pointer", `[{"p":{"objectId":"x","className":"A","__type":"Pointer","more":1}}]`,
			[]any{map[string]any{"p": Pointer{"A", "x"}}}},
		{"GeoPoint", `{"__type":"GeoPoint","latitude":1,"longitude":-2}`, GeoPoint{1, -2}},
		{"Polygon", `{"__type":"Polygon","coordinates":[[0,0],[0,1],[1,1]]}`, Polygon{[][2]float64{{0, 0}, {0, 1}, {1, 1}}}},
		{"Bytes", `{"__type":"Bytes","base64":"aGk="}`, Bytes{"aGk="}},
		{"File", `{"__type":"File","name":"a.txt"}`, File{Name: "a.txt"}},
		{"File with URL", `{"__type":"File","name":"a.txt","url":"http://x/a.txt"}`, File{"a.txt", "http://x/a.txt"}},
		{"Relation", `{"__type":"Relation","className":"A"}`, Relation{"A"}},
		{"unknown type", `{"__type":"Foo"}`, map[string]any{"__type": "Foo"}},
		{"incomplete Pointer", `{"__type":"Pointer","className":"A"}`, map[string]any{"__type": "Pointer", "className": "A"}},
		{"no date", `{"__type":"Date","iso":"garbage"}`, map[string]any{"__type": "Date", "iso": "garbage"}},
		{"type of another type", `{"__type":5}`, map[string]any{"__type": 5.0}},
		{"half a coordinate", `{"__type":"Polygon","coordinates":[[0]]}`,
			map[string]any{"__type": "Polygon", "coordinates": []any{[]any{0.0}}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Decode([]byte(test.json))
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("Decode(%s) = %#v, %v; want %#v", test.json, got, err, test.want)
			}
		})
	}
}

func TestDecodeDate(t *testing.T) {
	want := time.Date(2020, 1, 2, 3, 4, 5, 678e6, time.UTC)
	for iso, at := range map[string]time.Time{
		"2020-01-02T03:04:05.678Z":       want,
		"2020-01-02T03:04:05.678999Z":    want,
		"2020-01-02T04:04:05.678+01:00":  want,
		"2020-01-02T04:04:05.678+0100":   want,
		"2020-01-02 03:04:05.678":        want,
		"2020-01-02T03:04:05":            want.Truncate(time.Second),
		"2020-01-02":                     want.Truncate(24 * time.Hour),
		"0001-01-01T00:00:00Z":           time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC),
		"9999-12-31T23:59:59.999Z":       time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC),
		"1969-12-31T23:59:59.999999999Z": time.Date(1969, 12, 31, 23, 59, 59, 999e6, time.UTC),
	} {
		got, ok := parseTime(iso)
		if !ok || !got.Equal(at) {
			t.Errorf("parseTime(%q) = %v, %v; want %v", iso, got, ok, at)
		}
	}
	for _, iso := range []string{"", "now", "20200102", "9999-12-31T23:59:59-12:00", "2020-13-01", strings.Repeat("2", 100)} {
		if got, ok := parseTime(iso); ok {
			t.Errorf("parseTime(%q) = %v; want none", iso, got)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":               ``,
		"word":                  `nul`,
		"two values":            `1 2`,
		"leading zero":          `01`,
		"point alone":           `1.`,
		"exponent alone":        `1e`,
		"plus":                  `+1`,
		"NaN":                   `NaN`,
		"beyond a double":       `1e400`,
		"beyond, negative":      `[-1e999]`,
		"open string":           `"abc`,
		"line end in a string":  "\"a\nb\"",
		"unknown escape":        `"\x"`,
		"short escape":          `"\u12"`,
		"bad escape":            `"\u12g4"`,
		"backslash at the end":  `"\`,
		"invalid UTF-8":         "\"\xff\"",
		"invalid UTF-8, later":  "\"\\n\xc3\"",
		"surrogate in UTF-8":    "\"\xed\xa0\x80\"",
		"trailing comma":        `[1,]`,
		"trailing comma, names": `{"a":1,}`,
		"number as a name":      `{1:2}`,
		"no colon":              `{"a" 1}`,
		"open array":            `[1`,
		"open object":           `{"a":1`,
		"single quotes":         `{'a':1}`,
		"comment":               `/**/1`,
		"hexadecimal":           `0x10`,
	} {
		t.Run(name, func(t *testing.T) {
			if v, err := Decode([]byte(text)); err == nil {
				t.Errorf("Decode(%q) = %#v; want an error", text, v)
			}
		})
	}
}

func TestDecodeDepth(t *testing.T) {
	deep := func(n int) []byte { return []byte(strings.Repeat(`[{"a":`, n/2) + "1" + strings.Repeat("}]", n/2)) }
	if _, err := Decode(deep(maxDepth)); err != nil {
		t.Errorf("depth %d: %v", maxDepth, err)
	}
	for _, n := range []int{maxDepth + 2, 2_000_000} {
		if _, err := Decode(deep(n)); !errors.Is(err, ErrTooDeep) {
			t.Errorf("depth %d: %v; want ErrTooDeep", n, err)
		}
	}
	// Siblings are not nested.
	if _, err := Decode([]byte("[" + strings.Repeat("[],{},", 1000) + "[[]]]")); err != nil {
		t.Error(err)
	}
}

func TestDecodeObject(t *testing.T) {
	o, err := DecodeObject([]byte(` {"z":1,"a":{"__type":"Pointer","className":"A","objectId":"x"},"z":3,"__type":"Pointer"} `))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"z", "a", "__type"}; !reflect.DeepEqual(o.Names, want) {
		t.Errorf("names %v, want %v", o.Names, want)
	}
	if want := (map[string]any{"z": 3.0, "a": Pointer{"A", "x"}, "__type": "Pointer"}); !reflect.DeepEqual(o.Values, want) {
		t.Errorf("values %v, want %v", o.Values, want)
	}
	for _, text := range []string{``, `[]`, `1`, `{} {}`, `{"a"}`} {
		if _, err := DecodeObject([]byte(text)); err == nil {
			t.Errorf("DecodeObject(%s) succeeds", text)
		}
	}
}

func TestAppendJSON(t *testing.T) {
	tests := []struct {
		v    any
		want string
	}{
		{nil, `null`},
		{true, `true`},
		{0.0, `0`},
		{math.Copysign(0, -1), `0`},
		{1.0, `1`},
		{-1.5, `-1.5`},
		{12345678901234567890.0, `12345678901234567000`},
		{1e20, `100000000000000000000`},
		{1e21, `1e+21`},
		{-1.5e300, `-1.5e+300`},
		{1e-6, `0.000001`},
		{1e-7, `1e-7`},
		{5e-324, `5e-324`},
		{math.Inf(1), `null`},
		{math.NaN(), `null`},
		{"<a&b>\u2028\"\\\x01\b\f\n\r\t/é\x7f", `"<a&b>` + "\u2028" + `\"\\\u0001\b\f\n\r\t/é` + "\x7f\""},
		{"a\xffb", "\"a\uFFFDb\""},
		{map[string]any{"bb": 1.0, "a": 2.0, "ab": 3.0, "": 4.0}, `{"":4,"a":2,"ab":3,"bb":1}`},
		{[]any{}, `[]`},
		{[]any{1.0, nil, "x"}, `[1,null,"x"]`},
		{Date{time.Date(2020, 1, 2, 3, 4, 5, 6e6, time.FixedZone("", 3600))}, `{"__type":"Date","iso":"2020-01-02T02:04:05.006Z"}`},
		{Pointer{"A", "x"}, `{"__type":"Pointer","className":"A","objectId":"x"}`},
		{GeoPoint{1, -2.5}, `{"__type":"GeoPoint","latitude":1,"longitude":-2.5}`},
		{Polygon{[][2]float64{{0, 0}, {1, 2}}}, `{"__type":"Polygon","coordinates":[[0,0],[1,2]]}`},
		{Bytes{"aGk="}, `{"__type":"Bytes","base64":"aGk="}`},
		{File{Name: "n"}, `{"__type":"File","name":"n"}`},
		{File{"n", "u"}, `{"__type":"File","name":"n","url":"u"}`},
		{Relation{"A"}, `{"__type":"Relation","className":"A"}`},
		{5, `5`},
		{int64(math.MinInt64), `-9223372036854775808`},
		{uint8(7), `7`},
		{float32(0.5), `0.5`},
		{[]any{1, 2.0}, `[1,2]`},
		{[]byte("x"), `null`},
	}
	for _, test := range tests {
		if got := string(AppendJSON([]byte("x"), test.v)); got != "x"+test.want {
			t.Errorf("AppendJSON(%#v) = %s; want %s", test.v, got[1:], test.want)
		}
	}
}

func TestEqual(t *testing.T) {
	distinct := []any{
		nil, true, false, 0.0, 1.0, "", "1", "x", date(t, "2020-01-02"), Pointer{"A", "x"}, Pointer{"B", "x"}, GeoPoint{1, 2},
		Polygon{[][2]float64{{1, 2}}}, Bytes{"x"}, File{Name: "x"}, Relation{"A"}, []any{}, []any{nil}, []any{1.0, 2.0},
		[]any{2.0, 1.0}, map[string]any{}, map[string]any{"a": nil}, map[string]any{"b": nil}, map[string]any{"a": []any{}},
	}
	for i, a := range distinct {
		for j, b := range distinct {
			if Equal(a, b) != (i == j) {
				t.Errorf("Equal(%#v, %#v) = %v", a, b, i != j)
			}
		}
	}
	if !Equal(0.0, math.Copysign(0, -1)) {
		t.Error("0 and -0 differ")
	}
}

// FuzzDecode compares with encoding/json, and checks that what was decoded survives being written and read.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-0,1e-7,"x\u00e9\ud800"],"b":{"__type":"Date","iso":"2020-01-02"}}`, `[[[[]]]]`, `"\ud83d\ude00"`, `1e400`,
		`{"__type":"Polygon","coordinates":[[1,2],[3,4]]}`, ` nullx`, "\"\xff\"", `{"a":1,"a":{}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Decode(data)
		var reference any
		standard := json.Unmarshal(data, &reference)
		if err == nil && standard != nil {
			t.Fatalf("Decode(%q) succeeds, encoding/json says %v", data, standard)
		}
		if err != nil {
			if standard == nil && utf8.Valid(data) && !errors.Is(err, ErrTooDeep) {
				t.Fatalf("Decode(%q): %v", data, err)
			}
			return
		}
		plain, err := decodePlain(data)
		if err != nil || !Equal(plain, reference) {
			t.Fatalf("decodePlain(%q) = %#v, %v; encoding/json has %#v", data, plain, err, reference)
		}
		text := AppendJSON(nil, v)
		if !json.Valid(text) {
			t.Fatalf("AppendJSON(%#v) = %s", v, text)
		}
		again, err := Decode(text)
		if err != nil || !Equal(again, v) {
			t.Fatalf("%q became %#v, then %s, then %#v (%v)", data, v, text, again, err)
		}
		if twice := AppendJSON(nil, again); !bytes.Equal(twice, text) {
			t.Fatalf("%s became %s", text, twice)
		}
	})
}
