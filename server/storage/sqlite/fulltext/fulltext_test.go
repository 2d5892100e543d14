package fulltext

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// shown is a vector as PostgreSQL prints it, its words in alphabetical order.
func shown(v vector) string {
	var out []string
	for word, list := range v {
		var at []string
		for _, p := range list {
			at = append(at, strconv.Itoa(p))
		}
		out = append(out, word+":"+strings.Join(at, ","))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// What to_tsvector of PostgreSQL 15 answered.
func TestVector(t *testing.T) {
	for _, tt := range []struct{ language, text, want string }{
		{"english", "The quick brown foxes jumped over the lazy dogs", "brown:3 dog:9 fox:4 jump:5 lazi:8 quick:2"},
		{"simple", "The quick foxes", "foxes:3 quick:2 the:1"},
		{"pg_catalog.english", "skies", "sky:1"},
		{"english", "national generously dying ponies", "die:3 generous:2 nation:1 poni:4"},
		{"english", "a I not", ""},
		{"english", "Überraschung naïve café", "café:3 naïv:2 überraschung:1"},
		{"english", "state-of-the-art", "art:5 state:2 state-of-the-art:1"},
		{"english", "b2b-sales", "b2b:2 b2b-sales:1 sale:3"},
		{"english", "and/or /usr/local", "/usr/local:2 and/or:1"},
		{"english", "user@example.com", "user@example.com:1"},
		{"english", "http://example.com/a?x=1", "/a?x=1:3 example.com:2 example.com/a?x=1:1"},
		{"english", "U.S.A. e.g.", "e.g:2 u.s.a:1"},
		{"english", "3.14 -5 1e5 42nd x86 1.2.3", "-5:2 1.2.3:6 1e5:3 3.14:1 42nd:4 x86:5"},
		{"english", "<b>bold</b> &amp; more", "bold:1"},
		{"english", "foo_bar, foo!", "bar:2 foo:1,3"},
		{"english", "日本語 привет", "日本語:1 привет:2"},
		{"english", "", ""},
	} {
		if got := shown(languageOf(tt.language).vector([]string{tt.text})); got != sorted(tt.want) {
			t.Errorf("%s %q: %s; want %s", tt.language, tt.text, got, tt.want)
		}
	}
}

func sorted(s string) string {
	f := strings.Fields(s)
	slices.Sort(f)
	return strings.Join(f, " ")
}

// What to_tsquery and ts_rank_cd(…, 32) of PostgreSQL 15 answered; a rank of 0 is no match.
func TestMatchAndRank(t *testing.T) {
	const text = "the quick brown fox jumps over the lazy dog"
	for _, tt := range []struct {
		term string
		want float32
	}{
		{"fox", 0.09090909},
		{"FOXES", 0.09090909},
		{"cat", 0},
		{"the", 0},
		{"quick & dog", 0.014084507},
		{"quick & cat", 0},
		{"fox | cat", 0.09090909},
		{"fox | dog", 0.16666667},
		{"!cat & fox", 0.09090909},
		{"brown <-> fox", 0.09090909},
		{"fox <-> brown", 0},
		{"quick <2> fox", 0.04761905},
		{"'brown fox'", 0.09090909},
		{"over <-> the <-> lazy", 0.09090909},
		{"over <2> lazy", 0.09090909},
		{"over <3> lazy", 0.09090909},
		{"jump:*", 0.09090909},
		{"ju:*", 0.09090909},
		{"fox:A", 0},
		{"fox:AD", 0.09090909},
		{"(cat | fox) & !bird", 0.09090909},
	} {
		q, err := Parse("english", tt.term)
		if err != nil {
			t.Fatal(err)
		}
		if got := q.Match(text); got != (tt.want > 0) {
			t.Errorf("%s: matches: %v", tt.term, got)
		}
		if got := q.Rank(text); tt.want > 0 && (got-tt.want > 1e-6 || tt.want-got > 1e-6) {
			t.Errorf("%s: rank %v; want %v", tt.term, got, tt.want)
		}
	}
}

func TestSyntax(t *testing.T) {
	for _, term := range []string{"a b", "a &", "!", "()", "(a", "a)", "a:x", "'a", "''", `a\`, "a <-1> b", "a <x> b", "a < b",
		"a||b", "a !b", "a: b", "a:*:*", "|a", "a<20000>b", "a&b)", strings.Repeat("(", 200) + "a" + strings.Repeat(")", 200)} {
		if _, err := Parse("english", term); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %v", term, err)
		}
	}
	for _, term := range []string{"a<->b", "'a b'", "a'b", `a\ b`, "a <16384> b", "!!a", "foo,bar", "a:", "😀", "a & (b | c)"} {
		if _, err := Parse("english", term); err != nil {
			t.Errorf("%q: %v", term, err)
		}
	}
	if _, err := Parse("klingon", "a"); !errors.Is(err, ErrLanguage) {
		t.Errorf("an unknown language: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"a & b", "'a b':*", "a <-> !(b | c)", "x-y", `\`, "é:AB"} {
		f.Add(s, "the x y of é")
	}
	f.Fuzz(func(t *testing.T, term, text string) {
		if len(term) > 200 || len(text) > 500 {
			return
		}
		q, err := Parse("english", term)
		if err != nil {
			return
		}
		if q.Rank(text) > 0 && !q.Match(text) && !strings.Contains(term, "!") {
			t.Errorf("%q ranks %q without matching it", term, text)
		}
	})
}

// The time is linear in the length of a text, however much it looks like addresses.
func TestLongTexts(t *testing.T) {
	q, err := Parse("english", "a & b")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"a_b_", "a.b..", "a-", "a@", "a/_", "<a", "&a", "/", "1.", "a.b.1.", "é-", "a:b", "-1", "a.1_"} {
		// Four times the text takes about four times as long; sixteen times would be quadratic.
		took := func(bytes int) time.Duration {
			best := time.Duration(math.MaxInt64)
			for range 2 {
				from := time.Now()
				q.Rank(strings.Repeat(part, bytes/len(part)))
				best = min(best, time.Since(from))
			}
			return best
		}
		if short, long := took(10_000), took(40_000); long > 12*max(short, 10*time.Millisecond) {
			t.Errorf("%q: 10 kB take %v, 40 kB %v", part, short, long)
		}
	}
}
