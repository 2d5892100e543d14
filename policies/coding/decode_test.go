package coding

import (
	"bytes"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func TestDecode(t *testing.T) {
	var e Encoder
	for _, size := range []int{1000, 5000, 3_000_000} {
		body := []byte(strings.Repeat("0123456789", size/10))
		packed := e.Encode(Zstd, body)
		if got, err := Decode(packed, size); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes: %d, %v", size, len(got), err)
		}
		if _, err := Decode(packed, size-1); err == nil {
			t.Errorf("%d bytes: one more than may be", size)
		}
		if _, err := Decode(packed[:len(packed)-1], size); err == nil {
			t.Errorf("%d bytes: one is missing", size)
		}
		packed[len(packed)/2] ^= 0xff
		if got, err := Decode(packed, size); err == nil && bytes.Equal(got, body) {
			t.Errorf("%d bytes: what is broken is decoded", size)
		}
	}
	var unsized bytes.Buffer
	w, err := zstd.NewWriter(&unsized)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, packed := range map[string][]byte{"nothing": nil, "text": []byte("0123456789"), "a size that isn't told": unsized.Bytes()} {
		if _, err := Decode(packed, 10<<20); err == nil {
			t.Errorf("%s is decoded", name)
		}
	}
}
