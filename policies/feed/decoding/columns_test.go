package decoding

import (
	"testing"

	"github.com/parsescale/parsescale/server/query"
)

func TestDecodeColumn(t *testing.T) {
	for _, c := range []struct {
		name string
		oid  uint32
		f    field
		text string
		want string // as JSON; "" for unknown
	}{
		{"a string", oidText, field{kind: "String"}, `it's "1"`, `"it's \"1\""`},
		{"a pointer", oidText, field{"Pointer", "C"}, "o", `{"__type":"Pointer","className":"C","objectId":"o"}`},
		{"a pointer to an unknown class", oidText, field{kind: "Pointer"}, "o", ""},
		{"a file", oidText, field{kind: "File"}, "a.txt", `{"__type":"File","name":"a.txt"}`},
		{"a text of no known type", oidText, field{}, "o", ""},
		{"a text where _SCHEMA has a number", oidText, field{kind: "Number"}, "1", ""},
		{"true", oidBool, field{}, "t", "true"},
		{"false", oidBool, field{}, "f", "false"},
		{"neither", oidBool, field{}, "x", ""},
		{"a number", oidFloat8, field{}, "-1.5e-07", "-1.5e-7"},
		{"no number", oidFloat8, field{}, "", ""},
		{"a date", oidTimestamptz, field{}, "2026-01-02 03:04:05.6789+00", `{"__type":"Date","iso":"2026-01-02T03:04:05.678Z"}`},
		{"a date before 1970, rounded down", oidTimestamptz, field{}, "1969-12-31 23:59:59.9999+00", `{"__type":"Date","iso":"1969-12-31T23:59:59.999Z"}`},
		{"a date without a fraction", oidTimestamptz, field{}, "2026-01-02 03:04:05+00", `{"__type":"Date","iso":"2026-01-02T03:04:05.000Z"}`},
		{"for ever", oidTimestamptz, field{}, "infinity", ""},
		{"before Christ", oidTimestamptz, field{}, "0001-01-02 03:04:05+00 BC", ""},
		{"JSON", oidJSONB, field{}, `{"a": [1, null]}`, `{"a":[1,null]}`},
		{"a date in JSON", oidJSONB, field{}, `{"__type": "Date", "iso": "2026-01-02T03:04:05.678Z"}`, `{"__type":"Date","iso":"2026-01-02T03:04:05.678Z"}`},
		{"no JSON", oidJSONB, field{}, `{`, ""},
		{"texts", oidTexts, field{}, `{*,role:a,"a \"b\" \\ {,}",NULL,"NULL",""}`, `["*","role:a","a \"b\" \\ {,}","NULL",""]`},
		{"no texts", oidTexts, field{}, `{}`, `[]`},
		{"texts of two dimensions", oidTexts, field{}, `{{a},{b}}`, ""},
		{"texts with an end missing", oidTexts, field{}, `{"a}`, ""},
		{"texts with a loose comma", oidTexts, field{}, `{a,}`, ""},
		{"a point", oidPoint, field{}, "(-122.5,37.25)", `{"__type":"GeoPoint","latitude":37.25,"longitude":-122.5}`},
		{"a point and more", oidPoint, field{}, "(1,2),(3,4)", ""},
		{"a polygon", oidPolygon, field{}, "((0,1),(2,3))", `{"__type":"Polygon","coordinates":[[1,0],[3,2]]}`},
		{"no polygon", oidPolygon, field{}, "()", ""},
		{"a type that Parse Server doesn't make", 20, field{kind: "Number"}, "1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			if v, ok := decodeColumn(c.oid, c.f, []byte(c.text)); ok {
				got = string(query.AppendJSON(nil, v))
			}
			if got != c.want {
				t.Errorf("%s is %s, want %s", c.text, got, c.want)
			}
		})
	}
}

func TestSnapshot(t *testing.T) {
	for _, c := range []struct {
		text    string
		sees    []uint32
		seesNot []uint32
	}{
		{"100:100:", []uint32{1, 99}, []uint32{100, 101, 2000}},
		{"100:105:100,103", []uint32{99, 101, 102, 104}, []uint32{100, 103, 105}},
		// Numbers begin again every 2³²; what is nearest is meant.
		{"4294967290:4294967300:4294967291,4294967298", []uint32{4294967289, 4294967290, 4294967292, 4294967295, 0, 1, 3}, []uint32{4294967291, 2, 4, 1 << 30}},
	} {
		s, err := parseSnapshot(c.text)
		if err != nil {
			t.Fatal(err)
		}
		for _, xid := range c.sees {
			if !s.sees(xid) {
				t.Errorf("%s doesn't see %d", c.text, xid)
			}
		}
		for _, xid := range c.seesNot {
			if s.sees(xid) {
				t.Errorf("%s sees %d", c.text, xid)
			}
		}
	}
	for _, text := range []string{"", "1:2", "2:1:", "a:b:", "1:2:x", "1:2:3:4", "-1:2:"} {
		if s, err := parseSnapshot(text); err == nil {
			t.Errorf("%q is read as %+v", text, s)
		}
	}
}

// FuzzDecodeColumn: whatever the text, a value comes out that can be written as JSON, or none.
func FuzzDecodeColumn(f *testing.F) {
	for _, text := range []string{`{*,"a\\"b",NULL}`, "((0,1),(2,3))", "(1,2)", "2026-01-02 03:04:05.6789+00", `{"a":[1]}`, "t", "1.5"} {
		f.Add(text)
	}
	oids := [...]uint32{oidBool, oidText, oidJSONB, oidPoint, oidPolygon, oidFloat8, oidTexts, oidTimestamptz}
	f.Fuzz(func(t *testing.T, text string) {
		for _, oid := range oids {
			if v, ok := decodeColumn(oid, field{kind: "String"}, []byte(text)); ok && len(query.AppendJSON(nil, v)) == 0 {
				t.Errorf("%q as %d is %v, which can't be written", text, oid, v)
			}
		}
	})
}

// TestBrokenMessages gives the decoder what a server never sends: messages that end early, or in another order. It must
// fail, and not panic.
func TestBrokenMessages(t *testing.T) {
	relation := append([]byte("R\x00\x00\x00\x01public\x00Note\x00d\x00\x01\x01objectId\x00"), 0, 0, 0, oidText, 255, 255, 255, 255)
	whole := [][]byte{
		append([]byte("B"), make([]byte, 20)...),
		relation,
		[]byte("I\x00\x00\x00\x01N\x00\x01t\x00\x00\x00\x02n1"),
		[]byte("U\x00\x00\x00\x01K\x00\x01t\x00\x00\x00\x02n1N\x00\x01t\x00\x00\x00\x02n2"),
		[]byte("D\x00\x00\x00\x01K\x00\x01t\x00\x00\x00\x02n2"),
		[]byte("T\x00\x00\x00\x01\x00\x00\x00\x00\x01"),
		append([]byte("C"), make([]byte, 25)...),
	}
	newDecoder := func() *decoder {
		return &decoder{namespace: "public", classes: classes{}, tables: map[uint32]*table{}}
	}
	d := newDecoder()
	for i, data := range whole {
		m, err := parse(data)
		if err != nil {
			t.Fatal(err)
		}
		done, err := d.take(m, len(data))
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		if done != nil && len(done.result()) != 5 {
			t.Errorf("the messages are read as %+v", done.result())
		}
		for n := range data {
			if _, err := parse(data[:n]); err == nil {
				t.Errorf("%d bytes of %q are read as a message", n, data)
			}
		}
		if i != 0 && i != 1 { // alone, those make sense
			if m, err := newDecoder().take(m, len(data)); err == nil {
				t.Errorf("%q alone is read as %+v", data, m)
			}
		}
	}
	two := []byte("I\x00\x00\x00\x01N\x00\x02nn")
	d = newDecoder()
	for _, data := range [][]byte{whole[0], whole[1], two} {
		m, err := parse(data)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = d.take(m, len(data)); (err != nil) != (data[0] == 'I') {
			t.Errorf("%q: %v", data, err)
		}
	}
}
