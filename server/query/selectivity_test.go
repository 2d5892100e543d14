package query

import (
	"fmt"
	"strings"
	"testing"
)

// longest is the length of the longest list of an index: what a change may have to be matched against.
func longest(x *Index[int]) int {
	n := len(x.scan.items)
	for _, f := range x.fields {
		for kind := range keyKinds {
			for _, s := range f.keys[kind] {
				n = max(n, len(s.items))
			}
			f.allSpans(kind, func(s *slots[int]) { n = max(n, len(s.items)) })
		}
	}
	return n
}

func where(tb testing.TB, text string, args ...any) Expr {
	tb.Helper()
	e, err := ParseWhere(fmt.Appendf(nil, text, args...), Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// TestSharedValues: wheres that share a common value and differ in a rare one are filed under the rare one, whatever the
// fields are called.
func TestSharedValues(t *testing.T) {
	const many = 5000
	for _, test := range []struct{ name, text string }{
		{"the common value first", `{"a":"open","b":"r%d"}`},
		{"the common value last", `{"b":"open","a":"r%d"}`},
		{"numbers", `{"a":7,"b":%d}`},
		{"a range", `{"a":{"$gt":1},"b":{"$gt":%[1]d,"$lt":%[1]d.5}}`},
		{"a flag", `{"a":true,"b":"r%d"}`},
		{"within $or", `{"$or":[{"a":"open","b":"r%[1]d"},{"a":"open","c":"r%[1]d"}]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var x Index[int]
			for i := range many {
				x.Add(where(t, test.text, i), i)
			}
			if n := longest(&x); n > many/50 {
				t.Errorf("a change may be matched against %d wheres of %d", n, many)
			}
		})
	}
}

// TestLearnedValues: what the index has seen of documents overrules what the kind of a value lets expect.
func TestLearnedValues(t *testing.T) {
	var x Index[int]
	add := func(from, to int) {
		for i := from; i < to; i++ {
			// By the kind of its value the owner is the better one.
			x.Add(where(t, `{"owner":{"__type":"Pointer","className":"_User","objectId":"bot"},"size":%d}`, i), i)
		}
	}
	bots := func() int {
		return len(x.fields["owner"].keys[textKey][key{kind: textKey, text: "bot"}].items)
	}
	add(0, 100)
	if n := bots(); n != 100 {
		t.Fatalf("%d wheres of 100 are filed under the owner", n)
	}
	for i := range 1000 { // but all objects are the bot's
		x.Each(Fields{"owner": Pointer{ClassName: "_User", ObjectID: "bot"}, "size": float64(-i)}, func(int) {})
	}
	add(100, 200)
	if n := bots(); n != 100 {
		t.Errorf("%d wheres are filed under an owner whom every object has", n)
	}
}

// TestScanned tells which wheres are matched against every document.
func TestScanned(t *testing.T) {
	var x Index[int]
	for i, test := range []struct {
		where     string
		selective bool
	}{
		{`{"a":1}`, true},
		{`{"a":{"$ne":1}}`, false},
		{`{"a":{"$regex":"x$"}}`, false},
		{`{"a":{"$ne":1},"b":2}`, true},
		{`{"$or":[{"a":1},{"b":{"$ne":1}}]}`, false},
		{`{}`, false},
	} {
		before := x.Scanned()
		e := where(t, "%s", test.where)
		x.Add(e, i)
		if got := Selective(e); got != test.selective || (x.Scanned() == before) != test.selective {
			t.Errorf("%s: selective %v, scanned %d after %d", test.where, got, x.Scanned(), before)
		}
	}
}

// TestLearnedValuesNeverScan: a where that is found by its values stays so whatever the index has seen. Here it prefers three
// values to a common one, thirty times over, which are more than it files a where under.
func TestLearnedValuesNeverScan(t *testing.T) {
	var x Index[int]
	x.Add(where(t, `{"s":"x"}`), -1)
	for range 1000 {
		x.Each(Fields{"s": "x"}, func(int) {})
	}
	const many = 50
	for i := range many {
		terms := make([]string, 30)
		for k := range terms {
			terms[k] = fmt.Sprintf(`{"s":"x","$or":[{"c":"%[1]d-%[2]d"},{"d":"%[1]d-%[2]d"},{"e":"%[1]d-%[2]d"}]}`, i, k)
		}
		e := where(t, `{"$or":[%s]}`, strings.Join(terms, ","))
		if !Selective(e) {
			t.Fatal("it isn't found by its values at all")
		}
		x.Add(e, i)
	}
	if n := x.Scanned(); n > 0 {
		t.Errorf("%d wheres of %d are matched against every document", n, many)
	}
}
