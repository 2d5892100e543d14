package change

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/query"
)

func deep(n int) any {
	var v any = "bottom"
	for range n {
		v = []any{v}
	}
	return v
}

// everyValue has each type of REST value, with its awkward cases.
func everyValue() map[string]any {
	return map[string]any{
		"null": nil, "true": true, "false": false,
		"zero": 0.0, "minus zero": math.Copysign(0, -1), "one": 1.0, "minus": -17.0, "fraction": 0.1, "big": 1e300,
		"2^53": float64(1 << 53), "-2^53": -float64(1 << 53), "2^53-1": float64(1<<53 - 1), "2^63": float64(1 << 63), "infinite": math.Inf(-1),
		"empty": "", "text": "héllo\x00\n", "not UTF-8": "\xff",
		"date": query.Date{Time: time.Date(2026, 11, 24, 1, 2, 3, 456e6, time.UTC)}, "old date": query.Date{Time: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)},
		"pointer": query.Pointer{ClassName: "_User", ObjectID: "u1"}, "geo": query.GeoPoint{Latitude: -90, Longitude: 179.5},
		"polygon": query.Polygon{Coordinates: [][2]float64{{0, 0}, {0, 1}, {1, 0.5}}}, "no polygon": query.Polygon{},
		"bytes": query.Bytes{Base64: "AAE="}, "file": query.File{Name: "a.txt", URL: "http://x/a.txt"}, "relation": query.Relation{ClassName: "Post"},
		"array": []any{1.0, "two", []any{}, map[string]any{"three": nil}}, "empty array": []any{},
		"map": map[string]any{"a": map[string]any{"b": []any{query.Pointer{}}}}, "empty map": map[string]any{},
		"deepest": deep(maxDepth),
	}
}

func frames() []Frame {
	image := &Image{Fields: everyValue(), Omitted: []string{"_hashed_password", "big"}}
	return []Frame{
		{Type: TypeStart, Start: Start{Protocol: 1, App: "app", Socket: "/run/x.sock", Options: []byte(`{"masterKey":"m"}`)}},
		{Type: TypeReady, Ready: Ready{Protocol: 1, PID: 42}},
		{Type: TypeFailed, Reason: "cannot open the database: it is gone"},
		{Type: TypeAck, ID: 1}, {Type: TypeDone, ID: math.MaxUint64}, {Type: TypeAbort, ID: 7},
		{Type: TypeStop}, {Type: TypePing}, {Type: TypePong}, {Type: TypeDrained},
		{Type: TypePrepare, ID: 1, Changes: []Change{}},
		{Type: TypePrepare, ID: 3, Changes: []Change{
			{App: "app", Class: "Game", ObjectID: "g1", Kind: Create, After: image, Touched: []string{"score", "player"}, Version: 1 << 60},
			{App: "app", Class: "Game", ObjectID: "g2", Kind: Update, Before: image, After: &Image{Partial: true}, Touched: []string{}},
			{App: "app", Class: "Post", ObjectID: "p1", Kind: Delete, Before: &Image{Fields: map[string]any{"a": 1.0}, Partial: true}},
			{App: "app", Class: "_Join:users:_Role", Kind: Create, After: &Image{Fields: map[string]any{"owningId": "r", "relatedId": "u"}}},
			{App: "other", Class: "Post", Kind: Schema}, {Kind: Purge},
		}},
	}
}

func TestFramesRoundTrip(t *testing.T) {
	var wire []byte
	var err error
	for _, f := range frames() {
		if wire, err = f.Append(wire); err != nil {
			t.Fatal(err)
		}
	}
	r := NewReader(bytes.NewReader(wire))
	for _, want := range frames() {
		got, err := r.Next()
		if err != nil {
			t.Fatalf("%s: %v", want.Type, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", want.Type, got, want)
		}
		if zero, ok := minusZero(got); ok && !math.Signbit(zero) {
			t.Error("-0 lost its sign")
		}
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("at the end: %v, want io.EOF", err)
	}
}

func minusZero(f Frame) (float64, bool) {
	for _, c := range f.Changes {
		if c.After != nil && c.After.Fields["minus zero"] != nil {
			return c.After.Fields["minus zero"].(float64), true
		}
	}
	return 0, false
}

func TestNotANumberSurvives(t *testing.T) {
	b, ok := appendValue(nil, math.NaN(), 0)
	d := decoder{b: b}
	if v, isFloat := d.value(0).(float64); !ok || !isFloat || !math.IsNaN(v) {
		t.Errorf("NaN came back as %v", v)
	}
}

// What isn't a REST value must become unknown: a field that vanished would look missing, and a matching query would
// be taken for unaffected.
func TestForeignValuesBecomeUnknown(t *testing.T) {
	image := &Image{Fields: map[string]any{"good": 1.0, "int": 1, "time": time.Now(), "deep": deep(maxDepth + 1), "inner": []any{int64(1)}}, Omitted: []string{"secret"}}
	f := Frame{Type: TypePrepare, ID: 1, Changes: []Change{{Class: "A", ObjectID: "a", Kind: Create, After: image}}}
	got := roundTrip(t, f).Changes[0].After
	if !reflect.DeepEqual(got.Fields, map[string]any{"good": 1.0}) {
		t.Errorf("fields are %v", got.Fields)
	}
	for _, name := range []string{"int", "time", "deep", "inner", "secret"} {
		if _, known := got.Field(name); known {
			t.Errorf("%s is known", name)
		}
	}
	if len(image.Omitted) != 1 {
		t.Error("encoding changed the image")
	}
}

func roundTrip(t *testing.T, f Frame) Frame {
	t.Helper()
	wire, err := f.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := NewReader(bytes.NewReader(wire)).Next()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestPrepareAlwaysFits(t *testing.T) {
	sized := func(id string, n int) Change {
		i := &Image{Fields: map[string]any{"text": strings.Repeat("x", n)}}
		return Change{App: "app", Class: "Post", ObjectID: id, Kind: Update, Before: i, After: i, Touched: []string{"text"}}
	}
	var many []Change
	for i := range 2000 {
		many = append(many, sized(fmt.Sprint("id", i), 0), Change{App: "app", Class: "Game", ObjectID: fmt.Sprint("id", i), Kind: Delete})
	}
	manyClasses := make([]Change, 2000)
	for i := range manyClasses {
		manyClasses[i] = Change{Class: fmt.Sprint("Class", i), ObjectID: "x", Kind: Delete}
	}
	cut := func(c Change) Change { return c.cut() }
	for _, tc := range []struct {
		name     string
		limit    int
		in, want []Change
	}{
		{"all fit", MaxFrame, []Change{sized("a", 1000)}, []Change{sized("a", 1000)}},
		{"one is too large", 1 << 17, []Change{sized("a", 1<<20), sized("b", 10)}, []Change{cut(sized("a", 0)), sized("b", 10)}},
		{"together too large", 1 << 10, []Change{sized("a", 1000), sized("b", 1000)}, []Change{cut(sized("a", 0)), cut(sized("b", 0))}},
		{"too many", 1 << 10, many, []Change{{App: "app", Class: "Post", Kind: Purge}, {App: "app", Class: "Game", Kind: Purge}}},
		{"too many classes", 1 << 10, manyClasses, []Change{{Kind: Purge}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := Frame{Type: TypePrepare, ID: 9, Changes: tc.in}
			wire, err := f.append([]byte("earlier"), tc.limit)
			if err != nil {
				t.Fatal(err)
			}
			wire = wire[len("earlier"):]
			if n := len(wire) - 4; n > tc.limit {
				t.Errorf("the frame has %d bytes, more than %d", n, tc.limit)
			}
			got, err := NewReader(bytes.NewReader(wire)).Next()
			if err != nil {
				t.Fatal(err)
			}
			if got.ID != 9 || !reflect.DeepEqual(got.Changes, tc.want) {
				t.Errorf("got %d changes, want %d: %+v", len(got.Changes), len(tc.want), got.Changes[:min(3, len(got.Changes))])
			}
		})
	}
}

func TestReaderRefuses(t *testing.T) {
	for _, tc := range []struct {
		name string
		wire string
		want error
	}{
		{"an empty frame", "\x00\x00\x00\x00\x00", ErrMalformed},
		{"a frame past the limit", "\x01\x00\x00\x01\x02", ErrTooLarge},
		{"an unknown type", "\x00\x00\x00\x01\x63", ErrMalformed},
		{"half a head", "\x00\x00", io.ErrUnexpectedEOF},
		{"half a frame", "\x00\x00\x00\x09\x02\x00", io.ErrUnexpectedEOF},
		{"a short number", "\x00\x00\x00\x02\x02\x00", ErrMalformed},
		{"more than a number", "\x00\x00\x00\x0a\x02\x00\x00\x00\x00\x00\x00\x00\x01!", ErrMalformed},
		{"a payload where none belongs", "\x00\x00\x00\x02\x04!", ErrMalformed},
		{"bad JSON", "\x00\x00\x00\x02\x01{", ErrMalformed},
		{"an unknown kind", "\x00\x00\x00\x0e\x07\x00\x00\x00\x00\x00\x00\x00\x01\x01\x09\x03\x00\x00", ErrMalformed},
		{"more changes than bytes", "\x00\x00\x00\x0b\x07\x00\x00\x00\x00\x00\x00\x00\x01\xff\x01", ErrMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := NewReader(strings.NewReader(tc.wire)).Next()
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
	secret := Frame{Type: TypeStart}
	wire, _ := secret.Append(nil)
	wire = append(wire[:5], `{"options":{"masterKey":"hush"`...)
	wire[3] = byte(len(wire) - 4)
	if _, err := NewReader(bytes.NewReader(wire)).Next(); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("the error of a broken start frame is %v", err)
	}
}

func TestReaderTakesLargeFrames(t *testing.T) {
	want := Frame{Type: TypeFailed, Reason: strings.Repeat("x", MaxFrame-1)}
	wire, err := want.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	small := Frame{Type: TypeAck, ID: 5}
	wire, _ = small.Append(wire)
	r := NewReader(bytes.NewReader(wire))
	if got, err := r.Next(); err != nil || got.Reason != want.Reason {
		t.Fatalf("the largest frame: %v", err)
	}
	if got, err := r.Next(); err != nil || got.ID != 5 || cap(r.buf) > keptBuffer {
		t.Errorf("after it: %+v, %v, a buffer of %d bytes", got, err, cap(r.buf))
	}
	want.Reason += "x"
	if _, err := want.Append(nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("one byte more: %v", err)
	}
}

func FuzzReader(f *testing.F) {
	for _, frame := range frames() {
		wire, err := frame.Append(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	f.Add([]byte("\x00\x00\x00\x0b\x07\x00\x00\x00\x00\x00\x00\x00\x01\xff\x01"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		r := NewReader(bytes.NewReader(wire))
		for {
			frame, err := r.Next()
			if err != nil {
				return
			}
			// What was understood must mean the same when it is sent on.
			again, err := frame.Append(nil)
			if err != nil {
				t.Fatalf("cannot encode what was decoded: %v", err)
			}
			second, err := NewReader(bytes.NewReader(again)).Next()
			if err != nil {
				t.Fatalf("cannot decode what was encoded: %v", err)
			}
			if frame.Type == TypePrepare && fmt.Sprint(describe(frame.Changes)) != fmt.Sprint(describe(second.Changes)) {
				t.Fatalf("%v became %v", describe(frame.Changes), describe(second.Changes))
			}
		}
	})
}

// describe prints changes so that equal ones print alike (NaN included).
func describe(changes []Change) []string {
	var list []string
	for _, c := range changes {
		s := fmt.Sprintf("%q %q %q %d %d %q", c.App, c.Class, c.ObjectID, c.Kind, c.Version, c.Touched)
		for _, i := range []*Image{c.Before, c.After} {
			if i != nil {
				s += fmt.Sprintf(" %v %q %v", i.Fields, i.Omitted, i.Partial)
			}
		}
		list = append(list, s)
	}
	return list
}
