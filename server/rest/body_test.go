package rest

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestParseBody(t *testing.T) {
	for _, test := range []struct{ name, text, want, err string }{
		{"object", `{"a":1,"b":{"c":[2]}}`, `{"a":1,"b":{"c":[2]}}`, ""},
		{"array", `[1,{"x":2}]`, `{"0":1,"1":{"x":2}}`, ""},
		{"empty", ``, `{}`, ""},
		{"empty object", ` {} `, ` {} `, ""},
		{"byte order mark", "\xef\xbb\xbf{}", `{}`, ""},
		{"repeated name", `{"a":1,"a":2}`, `{"a":1,"a":2}`, ""},
		{"truncated", `{"a":`, "", "Unexpected end of JSON input"},
		{"truncated in a text", `{"a":"`, "", "Unexpected end of JSON input"},
		{"text", `"x"`, "", "Unexpected token '\"', \"\"x\"\" is not valid JSON"},
		{"null", `null`, "", `Unexpected token 'n', "null" is not valid JSON`},
		{"word", `{"a":nope}`, "", `Unexpected token`},
		{"two objects", `{}{}`, "", `Unexpected token '{', "{}{}" is not valid JSON`},
		{"single quotes", `{'a':1}`, "", `Unexpected token '''`},
		{"white space", "  ", "", "Unexpected"},
		{"deep", strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20000), "", "Unexpected token"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, err := parseBody([]byte(test.text))
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := string(b.json()); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestBodyMembers(t *testing.T) {
	b, err := parseBody([]byte(`{"_a":"x\u0041","b":1,"_a":"second","\u005fc":true}`))
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := b.text("_a"); !ok || s != "second" {
		t.Errorf("_a = %q, %v: of repeated names the last counts", s, ok)
	}
	if v := b.get("_c"); string(v) != "true" {
		t.Errorf("an escaped name isn't found: %q", v)
	}
	b.remove("_a")
	b.remove("_c")
	if got := string(b.json()); got != `{"b":1}` {
		t.Errorf("after removal: %s", got)
	}
}

func TestTruthy(t *testing.T) {
	for v, want := range map[string]bool{
		"": false, "null": false, "false": false, `""`: false, "0": false, "-0": false, "0.0": false, "0e5": false,
		"1": true, "-1": true, `"0"`: true, "{}": true, "[]": true, "true": true, "1e999": true,
	} {
		if got := truthy([]byte(v)); got != want {
			t.Errorf("truthy(%s) = %v", v, got)
		}
	}
}

func TestReadBody(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(`{"a":"` + strings.Repeat("x", 100) + `"}`))
	z.Close()
	var deflated bytes.Buffer
	d := zlib.NewWriter(&deflated)
	_, _ = d.Write([]byte(`{"a":1}`))
	d.Close()
	for _, test := range []struct {
		name, contentType, encoding, text string
		limit                             int64
		status                            int
		want                              string
	}{
		{"any type is JSON", "text/plain", "", `{"a":1}`, 100, 0, `{"a":1}`},
		{"no type is JSON", "", "", `{"a":1}`, 100, 0, `{"a":1}`},
		{"form", "application/x-www-form-urlencoded", "", `a=1&b=%7B%7D&a=2`, 100, 0, `{"a":["1","2"],"b":"{}"}`},
		{"multipart isn't read", "multipart/form-data; boundary=x", "", `--x`, 100, 0, `{}`},
		{"too large", "", "", `{"a":1}`, 6, 413, ""},
		{"exactly the limit", "", "", `{"a":1}`, 7, 0, `{"a":1}`},
		{"gzip", "", "gzip", zipped.String(), 200, 0, `{"a":"` + strings.Repeat("x", 100) + `"}`},
		{"gzip bomb", "", "gzip", zipped.String(), 60, 413, ""},
		{"not gzip", "", "gzip", `{}`, 100, 400, ""},
		{"deflate", "", "deflate", deflated.String(), 100, 0, `{"a":1}`},
		{"not deflate", "", "deflate", `{}`, 100, 400, ""},
		{"unknown encoding", "", "zstd", `{}`, 100, 415, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(test.text))
			r.Header.Set("Content-Type", test.contentType)
			r.Header.Set("Content-Encoding", test.encoding)
			b, err := readBody(httptest.NewRecorder(), r, test.limit)
			if test.status != 0 {
				if err == nil {
					t.Fatalf("accepted: %s", b.json())
				}
				a := testAPI(t)
				if got := a.failure(err).status; got != test.status {
					t.Errorf("status %d, want %d", got, test.status)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := string(b.json()); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func FuzzParseBody(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `[1]`, `{"_method":"GET"}`, `{`, `{"a":"\ud800"}`, "{\"\xff\":1}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := parseBody(data)
		if err != nil {
			return
		}
		b.remove("_method")
		b.raw = nil
		if out := b.json(); !json.Valid(out) {
			t.Errorf("%q became %q, which isn't JSON", data, out)
		}
	})
}
