package query

import "testing"

func TestMatch(t *testing.T) {
	for _, test := range matchTable {
		t.Run(test.name, func(t *testing.T) {
			o, err := DecodeObject([]byte(test.object))
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range o.Names {
				if matchSchema[name[0]] == "" {
					t.Errorf("the field %s has no type", name)
				}
			}
			e, err := ParseWhere([]byte(test.where), Limits{Now: fixed})
			if err != nil {
				t.Fatal(err)
			}
			if got := Match(e, Fields(o.Values)); got != test.want {
				t.Errorf("%s matches %s: %v; want %v", test.object, test.where, got, test.want)
			}
		})
	}
}

func TestMatchUnknownFields(t *testing.T) {
	hidden := partial{Fields{"n": 1.0, "rel": Relation{"A"}}, map[string]bool{"s": true}}
	for where, want := range map[string]Truth{
		`{"s":"x"}`:                   Unknown,
		`{"s":null}`:                  Unknown,
		`{"s":{"$exists":true}}`:      Unknown,
		`{"s":{"$nin":[]}}`:           Unknown,
		`{"s.a":1}`:                   Unknown,
		`{"rel":` + pointerX + `}`:    Unknown,
		`{"rel":{"$exists":false}}`:   Unknown,
		`{"s":"x","n":2}`:             No,
		`{"$or":[{"s":"x"},{"n":1}]}`: Yes,
		`{"$nor":[{"s":"x"}]}`:        Unknown,
	} {
		e, err := ParseWhere([]byte(where), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got := Match(e, hidden); got != want {
			t.Errorf("%s: %v; want %v", where, got, want)
		}
	}
}

// The permission columns: nil among the values of $in stands for an absent list.
func TestMatchReaders(t *testing.T) {
	e := &In{Path: "_rperm", Values: []any{nil, "*", "u"}}
	for _, test := range []struct {
		list any
		want Truth
	}{
		{nil, Yes}, {[]any{}, No}, {[]any{"*"}, Yes}, {[]any{"v", "u"}, Yes}, {[]any{"v"}, No},
	} {
		if got := Match(e, Fields{"_rperm": test.list}); got != test.want {
			t.Errorf("%v: %v; want %v", test.list, got, test.want)
		}
	}
}

// The logic on sets of outcomes is that of SQL on each of their members.
func TestOutcomes(t *testing.T) {
	and := map[[2]outcome]outcome{}
	not := map[outcome]outcome{isTrue: isFalse, isFalse: isTrue, isNull: isNull}
	for _, a := range []outcome{isTrue, isFalse, isNull} {
		for _, b := range []outcome{isTrue, isFalse, isNull} {
			switch {
			case a == isFalse || b == isFalse:
				and[[2]outcome{a, b}] = isFalse
			case a == isNull || b == isNull:
				and[[2]outcome{a, b}] = isNull
			default:
				and[[2]outcome{a, b}] = isTrue
			}
		}
	}
	for o := outcome(1); o <= anything; o++ {
		var negated outcome
		for member, result := range not {
			if o&member != 0 {
				negated |= result
			}
		}
		if o.not() != negated {
			t.Errorf("not %b = %b, want %b", o, o.not(), negated)
		}
		for p := outcome(1); p <= anything; p++ {
			var both, either outcome
			for pair, result := range and {
				if o&pair[0] != 0 && p&pair[1] != 0 {
					both |= result
					either |= not[and[[2]outcome{not[pair[0]], not[pair[1]]}]]
				}
			}
			if o.and(p) != both {
				t.Errorf("%b and %b = %b, want %b", o, p, o.and(p), both)
			}
			if o.or(p) != either {
				t.Errorf("%b or %b = %b, want %b", o, p, o.or(p), either)
			}
		}
	}
}

func TestRegex(t *testing.T) {
	tests := []struct {
		pattern, options, text string
		want                   outcome
	}{
		{"a.c", "", "a\nc", isTrue},
		{"a$", "", "a\n", isFalse},
		{"^b", "", "a\nb", isFalse},
		{"^b", "m", "a\nb", anything},
		{"^b", "m", "ab", isFalse},
		{`\d+-\w`, "", "12-a", isTrue},
		{`\d`, "", "٣", anything},
		{`[^a]`, "", "é", isTrue},
		{`[^a]`, "i", "é", anything},
		{`É`, "", "É", isTrue},
		{`é`, "i", "é", anything},
		{`a{2,3}b`, "", "aab", isTrue},
		{`a{,3}`, "", "a", anything},
		{`(?:ab|cd)+?e`, "", "xcde", isTrue},
		{`(a|)b`, "", "b", anything},
		{`a**`, "", "a", anything},
		{`\s`, "", "\v", isTrue},
		{`\ya\y`, "", "a", anything},
		{`\ba`, "", "a", anything},
		{`(a)\1`, "", "aa", anything},
		{`[[:alpha:]]`, "", "a", anything},
		{`[\d]`, "", "1", anything},
		{`[a-z0-9_-]`, "", "-", isTrue},
		{`[+-/]`, "", ".", anything},
		{`\.\-\$`, "", ".-$", isTrue},
		{`a b`, "x", "ab", anything},
		{`ab`, "x", "ab", isTrue},
		{`^\Qa.b*\E`, "", "a.b*c", isTrue},
		{`^\Qa.b\E`, "i", "A.Bc", isTrue},
		{`\Qa\E$`, "", "ba", isTrue},
		{`^\Qa\E$`, "", "a", anything},
		{`\Qa\E\\E\Qb\E`, "", `a\Eb`, anything},
		{`a\Qb\Ec`, "", "abc", anything},
		{`x+\Q(\E`, "", "xx(", isTrue},
		{`\Qa`, "", "a", anything},
		{`it''s`, "", "it''s", anything},
		{`it's`, "", "it's", isTrue},
		{`(?i)a`, "", "A", anything},
		{`***=a`, "", "a", anything},
		{`(`, "", "a", anything},
		{`a)`, "", "a", anything},
		{`[a`, "", "a", anything},
		{`a\`, "", "a", anything},
	}
	for _, test := range tests {
		e := &Regex{Path: "s", Pattern: test.pattern, Options: test.options}
		for range 2 { // compiled, then from the cache
			if got := e.matches(test.text); got != test.want {
				t.Errorf("%q (%s) on %q: %b, want %b", test.pattern, test.options, test.text, got, test.want)
			}
		}
	}
}
