package query

import (
	"regexp/syntax"
	"strings"
	"testing"
)

// TestLinearIsBounded compiles patterns that a client may send, as far as their length goes, but that would take
// hundreds of megabytes or minutes.
func TestLinearIsBounded(t *testing.T) {
	bomb := strings.Repeat("(?:"+strings.Repeat(".?", 200)+"){1000}", 8)
	for name, expr := range map[string]string{
		"repetitions written out": bomb,
		"repeated class":          strings.Repeat(`[a-cx-z]{1000}`, 10),
		"repeated alternatives":   "(?:" + strings.Repeat("ab|", 400) + "c){0,1000}",
		"repeated at least":       "(?:" + strings.Repeat("a", 100) + "){999,}",
	} {
		if _, err := CompileLinear(expr); err == nil {
			t.Errorf("%s: compiled", name)
		}
		if e := (&Regex{Pattern: expr}); e.matches(strings.Repeat("a", 100)) != anything {
			t.Errorf("%s: the matcher ran it", name)
		}
	}
	for _, expr := range []string{"", "^a.*b$", `(?i)^\d{3}-\d{4}$`, "a{1000}", strings.Repeat("x", 4096), "(?:abc){500}"} {
		l, err := CompileLinear(expr)
		if err != nil {
			t.Errorf("%s: %v", expr[:min(len(expr), 20)], err)
			continue
		}
		parsed, _ := syntax.Parse(expr, syntax.Perl)
		prog, err := syntax.Compile(parsed.Simplify())
		if err != nil {
			t.Fatal(err)
		}
		// Twice, for the steps that only join others.
		if n := len(prog.Inst); n > 2*l.size+8 {
			t.Errorf("%s: a program of %d steps was taken for one of %d", expr[:min(len(expr), 20)], n, l.size)
		}
	}
	l, err := CompileLinear("(?:a?b?c?){400}")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := l.Match(strings.Repeat("a", 1<<20)); ok {
		t.Error("a large program ran over a large text")
	}
	if matches, ok := l.Match("abc"); !matches || !ok {
		t.Error("a large program doesn't run over a small text")
	}
}
