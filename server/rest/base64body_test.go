package rest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

type collected struct{ bytes.Buffer }

func (c *collected) reset() error { c.Reset(); return nil }

func TestSplitUpload(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789 abc"), 10_000)
	for _, test := range []struct{ name, body, content, rest string }{
		{"the SDK's order", `{"base64":"aGVsbG8=","_ApplicationId":"APP"}`, "hello", `{"base64":"x","_ApplicationId":"APP"}`},
		{"last", `{"_ApplicationId":"APP", "base64" : "aGVsbG8"}`, "hello", `{"_ApplicationId":"APP", "base64" :"x"}`},
		{"a long one", `{"base64":"` + base64.StdEncoding.EncodeToString(long) + `"}`, string(long), `{"base64":"x"}`},
		{"in lines", `{"base64":"` + inLines(base64.StdEncoding.EncodeToString(long)) + `"}`, string(long), `{"base64":"x"}`},
		{"empty", `{"base64":""}`, "", `{"base64":""}`},
		{"not base64 at all", `{"base64":"===="}`, "", `{"base64":"x"}`},
		{"white space and the other alphabet", `{"base64":"_-\n_-8 ="}`, string(decodedAtOnce("/+/+8")), `{"base64":"x"}`},
		{"what follows a = is no content", `{"base64":"YQ==Yg=="}`, "a", `{"base64":"x"}`},
		{"escapes", `{"base64":"\u0061G\/s\u00e9bG8\\\""}`, string(decodedAtOnce("aG/sbG8")), `{"base64":"x"}`},
		{"a name in escapes", `{"b\u0061se64":"eA=="}`, "x", `{"b\u0061se64":"x"}`},
		{"twice", `{"base64":"eA==","base64":"eXk="}`, "yy", `{"base64":"x","base64":"x"}`},
		{"deeper down it is something else", `{"a":{"base64":"eA=="},"b":["base64","eA=="]}`, "", `{"a":{"base64":"eA=="},"b":["base64","eA=="]}`},
		{"as a value", `{"a":"base64","b":"eA=="}`, "", `{"a":"base64","b":"eA=="}`},
		{"no text", `{"base64":{"base64":"eA=="},"a":1}`, "", `{"base64":{"base64":"eA=="},"a":1}`},
		{"a byte order mark", "\xef\xbb\xbf" + ` {"base64":"eA=="}`, "x", ` {"base64":"x"}`},
		{"a rest digit is dropped", `{"base64":"eHh4e"}`, "xxx", `{"base64":"x"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var to collected
			rest, err := splitUpload(strings.NewReader(test.body), &to)
			if err != nil {
				t.Fatal(err)
			}
			if to.String() != test.content {
				t.Errorf("the content is %.50q, not %.50q", to.String(), test.content)
			}
			if got := strings.TrimRight(string(rest), " "); got != test.rest {
				t.Errorf("the rest is %s, not %s", got, test.rest)
			}
		})
	}
}

// inLines breaks a text as MIME does, in JSON.
func inLines(text string) string {
	var b strings.Builder
	for ; len(text) > 76; text = text[76:] {
		b.WriteString(text[:76] + `\r\n`)
	}
	return b.String() + text
}

// BenchmarkSplitUpload reads an upload of 3 MB in the form in which the JavaScript SDK sends it.
func BenchmarkSplitUpload(b *testing.B) {
	body := `{"base64":"` + strings.Repeat("AbCd", 1<<20) + `"}`
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := splitUpload(strings.NewReader(body), nowhere{}); err != nil {
			b.Fatal(err)
		}
	}
}

type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) reset() error                { return nil }

func TestSplitUploadRefuses(t *testing.T) {
	for _, body := range []string{
		"", "x", "[1]", `"base64"`, `{"base64":"eA==`, `{"base64":"e\x"}`, `{"base64":"\u00"}`, `{"base64":"\u00gg"}`, "{\"base64\":\"a\nb\"}",
		`{"base64" "eA=="}`, `{"base64":"eA=="} x`, `{"base64":"eA=="`, `{"a":"`,
	} {
		if _, err := splitUpload(strings.NewReader(body), &collected{}); err == nil {
			t.Errorf("%s was taken", body)
		}
	}
	if _, err := splitUpload(strings.NewReader(`{"a":"`+strings.Repeat("x", maxUploadMembers)+`"}`), &collected{}); !errors.Is(err, errTooLarge) {
		t.Errorf("members without a bound: %v", err)
	}
}

// FuzzSplitUpload compares with reading the whole body at once.
func FuzzSplitUpload(f *testing.F) {
	for _, s := range []string{`{"base64":"eA==","a":[1,{"b":"\"}"}]}`, `{"base64":"\u0061\/=","base64":1}`, `{"b\u0061se64":"eA"}`, `[{"base64":"x"}]`, `{}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > maxUploadMembers {
			return
		}
		var to collected
		rest, err := splitUpload(bytes.NewReader(data), &to)
		whole, wholeErr := parseBody(data)
		if wholeErr != nil || !bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), " \t\r\n"), []byte("{")) {
			if err == nil {
				if _, err = parseBody(rest); err == nil {
					t.Fatalf("%q was taken", data)
				}
			}
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		b, err := parseBody(rest)
		if err != nil {
			t.Fatalf("the rest of %q is %q: %v", data, rest, err)
		}
		text, isText := whole.text("base64")
		if isText != (len(b.get("base64")) > 0 && b.get("base64")[0] == '"') {
			t.Fatalf("%q: base64 is %s", data, b.get("base64"))
		}
		if isText && to.String() != string(decodedAtOnce(text)) {
			t.Fatalf("%q holds %q, not %q", data, to.String(), decodedAtOnce(text))
		}
		for i, m := range whole.members {
			if m.name != "base64" && !bytes.Equal(m.value, b.members[i].value) || m.name != b.members[i].name {
				t.Fatalf("%q: member %d is %q", data, i, b.members[i])
			}
		}
	})
}

// decodedAtOnce decodes as Node does.
func decodedAtOnce(text string) []byte {
	text, _, _ = strings.Cut(text, "=")
	clean := strings.Map(func(c rune) rune {
		switch {
		case c == '-':
			return '+'
		case c == '_':
			return '/'
		case c < 0x80 && (alphanumeric(byte(c)) || c == '+' || c == '/'):
			return c
		}
		return -1
	}, text)
	if len(clean)%4 == 1 {
		clean = clean[:len(clean)-1]
	}
	out, _ := base64.RawStdEncoding.DecodeString(clean)
	return out
}
