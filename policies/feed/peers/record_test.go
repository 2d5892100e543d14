package peers

import (
	"reflect"
	"testing"
	"time"
)

func TestRecords(t *testing.T) {
	for name, r := range map[string]record{
		"a beat":        {from: "a", seq: 7, kind: beat, strict: true, held: 3 * time.Millisecond, open: 5, heard: []heard{{"b", 1}, {"c", 1 << 40}}},
		"a first beat":  {from: "a", seq: 1, kind: beat, open: 1},
		"changes":       {from: "a", seq: 8, kind: changed, payload: []byte("xyz")},
		"a prepare":     {from: "a", seq: 9, kind: prepared, payload: []byte{}},
		"a done":        {from: "a", seq: 10, kind: done, of: 9},
		"the last word": {from: "parsescale-abcdef", seq: 11, kind: leave},
	} {
		got, err := parse(r.append(nil))
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		for i := range r.append(nil) {
			if _, err := parse(r.append(nil)[:i]); err == nil && r.kind != changed && r.kind != prepared {
				t.Errorf("%s, cut to %d bytes: no error", name, i)
			}
		}
	}
}

func FuzzRecord(f *testing.F) {
	for _, r := range []record{
		{from: "a", seq: 7, kind: beat, held: 1, open: 5, heard: []heard{{"b", 1}}},
		{from: "a", seq: 8, kind: changed, payload: []byte("xyz")},
		{from: "a", seq: 10, kind: done, of: 9},
	} {
		f.Add(r.append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parse(b)
		if err != nil {
			return
		}
		again, err := parse(r.append(nil))
		if err != nil || !reflect.DeepEqual(again, r) && !(len(r.payload) == 0 && len(again.payload) == 0) {
			t.Errorf("%+v became %+v, %v", r, again, err)
		}
	})
}
