package coding

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func TestAccepted(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines []string
		want  Coding
	}{
		{"no header", nil, Identity},
		{"an empty one", []string{""}, Identity},
		{"one coding", []string{"gzip"}, Gzip},
		{"an old name", []string{"x-gzip"}, Gzip},
		{"upper case", []string{"GZIP"}, Gzip},
		{"what browsers send", []string{"gzip, deflate, br, zstd"}, Zstd},
		{"several lines", []string{"gzip", "zstd"}, Zstd},
		{"unknown codings alone", []string{"br, deflate"}, Identity},
		{"a weight decides", []string{"zstd;q=0.5, gzip;q=0.8"}, Gzip},
		{"spaces", []string{" gzip ; q=0.8 ,zstd ; Q=0.1"}, Gzip},
		{"three digits", []string{"gzip;q=0.501, zstd;q=0.500"}, Gzip},
		{"identity preferred", []string{"identity, gzip;q=0.9"}, Identity},
		{"equal to identity", []string{"identity, gzip"}, Gzip},
		{"refused", []string{"gzip;q=0, zstd;q=0.000"}, Identity},
		{"one refused", []string{"gzip;q=1.0, zstd;q=0"}, Gzip},
		{"anything", []string{"*"}, Zstd},
		{"anything but one", []string{"*, zstd;q=0"}, Gzip},
		{"nothing else", []string{"*;q=0, gzip"}, Gzip},
		{"nothing at all", []string{"*;q=0"}, Identity},
		{"identity refused", []string{"identity;q=0, gzip;q=0.1"}, Gzip},
		{"a weight over one", []string{"gzip;q=1.5"}, Identity},
		{"a weight of words", []string{"gzip;q=high, zstd;q=0.1"}, Zstd},
		{"a weight with too many digits", []string{"gzip;q=0.5000"}, Identity},
		{"another parameter", []string{"gzip;level=9"}, Identity},
		{"only commas", []string{",,,"}, Identity},
	} {
		if got := Accepted(tt.lines); got != tt.want {
			t.Errorf("%s: %q: got %v, want %v", tt.name, tt.lines, got, tt.want)
		}
	}
}

func TestETag(t *testing.T) {
	for _, tt := range []struct {
		coding   Coding
		tag, out string
	}{
		{Identity, `"a"`, `"a"`}, {Gzip, `"a"`, `"a-gzip"`}, {Zstd, `"a"`, `"a-zstd"`}, {Zstd, `W/"a"`, `W/"a"`}, {Gzip, "", ""}, {Gzip, `"`, `"`},
	} {
		if got := tt.coding.ETag(tt.tag); got != tt.out {
			t.Errorf("%v of %s: got %s, want %s", tt.coding, tt.tag, got, tt.out)
		}
	}
}

func TestEncode(t *testing.T) {
	var e Encoder
	body := []byte(strings.Repeat(`{"objectId":"o1","createdAt":"2020-01-01T00:00:00.000Z"},`, 1000))
	for range 2 { // encoders are used again
		r, err := gzip.NewReader(bytes.NewReader(e.Encode(Gzip, body)))
		if err != nil {
			t.Fatal(err)
		}
		if out, err := io.ReadAll(r); err != nil || !bytes.Equal(out, body) {
			t.Errorf("gzip: %d bytes, %v", len(out), err)
		}
		d, err := zstd.NewReader(nil)
		if err != nil {
			t.Fatal(err)
		}
		packed := e.Encode(Zstd, body)
		if out, err := d.DecodeAll(packed, nil); err != nil || !bytes.Equal(out, body) || cap(packed) > len(packed)+64 {
			t.Errorf("zstd: %d bytes, %v, in %d for %d", len(out), err, cap(packed), len(packed))
		}
		d.Close()
	}
	noise := make([]byte, 4000)
	for i, x := 0, uint32(1); i < len(noise); i++ {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	for c := Identity; c < Codings; c++ {
		if out := e.Encode(c, noise); out != nil {
			t.Errorf("%v: noise was encoded in %d bytes of %d", c, len(out), len(noise))
		}
	}
}

func FuzzAccepted(f *testing.F) {
	for _, s := range []string{"gzip, deflate, br;q=0.9, zstd;q=0.001", "*;q=0", ";;q=1,="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if c := Accepted([]string{s}); c != Identity && !strings.Contains(strings.ToLower(s), c.String()) && !strings.Contains(s, "*") {
			t.Errorf("%q: %v", s, c)
		}
	})
}
