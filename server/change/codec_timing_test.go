package change

import (
	"bytes"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/query"
)

func typicalChange() Change {
	image := func(score float64) *Image {
		return NewImage("GameScore", map[string]any{
			"objectId": "xWMyZ4YEGZ", "createdAt": query.Date{Time: time.UnixMilli(1764000000000).UTC()},
			"updatedAt": query.Date{Time: time.UnixMilli(1764000000001).UTC()}, "score": score, "playerName": "Sean Plott",
			"cheatMode": false, "player": query.Pointer{ClassName: "_User", ObjectID: "3KmCvT7Zsb"}, "skills": []any{"pwnage", "flying"},
		})
	}
	return Change{App: "app", Class: "GameScore", ObjectID: "xWMyZ4YEGZ", Kind: Update, Before: image(1337), After: image(1338), Touched: []string{"score"}, Version: 17}
}

func BenchmarkAppendPrepare(b *testing.B) {
	f := Frame{Type: TypePrepare, ID: 1, Changes: []Change{typicalChange()}}
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		buf, _ = f.Append(buf[:0])
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkReadPrepare(b *testing.B) {
	f := Frame{Type: TypePrepare, ID: 1, Changes: []Change{typicalChange()}}
	wire, err := f.Append(nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(wire)))
	src := bytes.NewReader(wire)
	r := NewReader(src)
	for b.Loop() {
		src.Reset(wire)
		r.r.Reset(src)
		if _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}

func TestEncodingAChangeAllocatesNothing(t *testing.T) {
	f := Frame{Type: TypePrepare, ID: 1, Changes: []Change{typicalChange()}}
	buf := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { _, _ = f.Append(buf) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
