package jsregexp

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestMatch(t *testing.T) {
	for _, test := range []struct {
		expr   string
		linear bool
		yes    []string
		no     []string
	}{
		{`^classes/Chat.*$`, true, []string{"classes/Chat", "classes/ChatRoom/x"}, []string{"classes/chat", "a/classes/Chat"}},
		{`^(?:a|b)\/c$`, true, []string{"a/c", "b/c"}, []string{"a/cc"}},
		{`^(?!admin).*$`, false, []string{"users"}, []string{"adminX"}},
		{`^(\w+)-\1$`, false, []string{"ab-ab"}, []string{"ab-ac"}},
		{`^[^]+$`, false, []string{"\n"}, []string{""}},
		{`[]`, false, nil, []string{"", "]"}},
		{`^[[:a]$`, false, []string{"[", ":", "a"}, []string{"b"}},
		{`^\u0041$`, false, []string{"A"}, []string{"u0041"}},
		{`^a{2}$`, true, []string{"aa"}, []string{"a"}},
		{`^.{1001,}$`, false, []string{strings.Repeat("x", 1001)}, []string{"x"}},
		{`^ä.$`, false, []string{"äx"}, []string{"ax"}},
		{`b`, true, []string{"abc"}, []string{"ac"}},
	} {
		re, err := Compile(test.expr)
		if err != nil {
			t.Errorf("%s: %v", test.expr, err)
			continue
		}
		if got := re.linear != nil; got != test.linear {
			t.Errorf("%s: by RE2: %v, want %v", test.expr, got, test.linear)
		}
		for want, texts := range map[bool][]string{true: test.yes, false: test.no} {
			for _, s := range texts {
				if got, err := re.Match(s); got != want || err != nil {
					t.Errorf("%s on %q: %v, %v, want %v", test.expr, s, got, err, want)
				}
			}
		}
	}
}

func TestFold(t *testing.T) {
	for _, expr := range []string{`^login$`, `^(?!x)login$`} {
		re, err := CompileFold(expr)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := re.Match("LogIn"); !ok || err != nil {
			t.Errorf("%s: %v, %v", expr, ok, err)
		}
	}
}

func TestBadExpressions(t *testing.T) {
	for _, expr := range []string{`(`, `[`, `*a`, `a)`, `\`} {
		if _, err := Compile(expr); err == nil {
			t.Errorf("%s compiles", expr)
		}
	}
}

func TestTimeout(t *testing.T) {
	re, err := Compile(`^(?=(a+)+b)`)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	ok, err := re.Match(strings.Repeat("a", 40))
	if ok || !errors.Is(err, ErrTimeout) {
		t.Errorf("got %v, %v, want a time-out", ok, err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

// Both engines must say the same of whatever is given to RE2.
func FuzzMatch(f *testing.F) {
	for _, seed := range [][2]string{{`^a(?:b|c)*$`, "abcb"}, {`[a-c]+\d`, "b1"}, {`^(?!a)b`, "b"}, {`\bx`, "a x"}, {`a{,2}`, "a{,2}"}, {`x{`, "x{"}, {`[^a`, ""}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, expr, text string) {
		re, err := Compile(expr)
		if err != nil || re.linear == nil || strings.ContainsAny(text, "\r\n\u2028\u2029") || strings.ToValidUTF8(text, "") != text {
			return
		}
		linear, ok := re.linear.Match(text)
		general, err := re.general.MatchString(text)
		if ok && err == nil && linear != general {
			t.Errorf("%q on %q: RE2 says %v, the other %v", expr, text, linear, general)
		}
	})
}
