package disk

import (
	"bytes"
	"context"
	"crypto/cipher"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TestSealedIsGCM compares with the standard library, which works on whole messages.
func TestSealedIsGCM(t *testing.T) {
	k, err := newKey("secret")
	if err != nil {
		t.Fatal(err)
	}
	whole, err := cipher.NewGCMWithNonceSize(k.block, nonceSize)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, 15, 16, 17, 31, 100, pieceSize - 1, pieceSize, pieceSize + 1, 3*pieceSize + 7} {
		plain := make([]byte, size)
		for i := range plain {
			plain[i] = byte(random.Uint32())
		}
		var out bytes.Buffer
		s := k.seal(&out)
		for rest := plain; len(rest) > 0; {
			n := min(len(rest), 1+random.IntN(40_000))
			if _, err := s.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		nonce := bytes.Clone(s.nonce)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		sealed := whole.Seal(nil, nonce, plain, nil)
		want := append(append(bytes.Clone(sealed[:size]), nonce...), sealed[size:]...)
		if !bytes.Equal(out.Bytes(), want) {
			t.Fatalf("%d bytes are sealed in another way than the standard library's", size)
		}

		name := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(name, want, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		r, n, err := k.open(context.Background(), f, int64(len(want)))
		if err != nil || n != int64(size) {
			t.Fatalf("open = %d bytes, %v; want %d", n, err, size)
		}
		for range 20 {
			at := random.IntN(size + 1)
			if _, err := r.Seek(int64(at), io.SeekStart); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(io.LimitReader(r, 1000)); err != nil || !bytes.Equal(got, plain[at:min(size, at+1000)]) {
				t.Fatalf("what is read from %d of %d bytes on is wrong (%v)", at, size, err)
			}
		}
		r.Close()
	}
}

// TestCounterWraps looks at the keystream where its 32 bits run over, which few nonces come to.
func TestCounterWraps(t *testing.T) {
	k, err := newKey("secret")
	if err != nil {
		t.Fatal(err)
	}
	start := element{7, 5<<32 | 0xfffffffd} // the second block has the counter 0xffffffff, the third 0
	var all [6 * blockSize]byte
	k.keystream(start, 0).xor(all[:])
	for i, count := range []uint64{0xfffffffe, 0xffffffff, 0, 1, 2, 3} {
		var want [blockSize]byte
		k.encrypt(element{7, 5<<32 | count}).put(want[:])
		if !bytes.Equal(all[i*blockSize:(i+1)*blockSize], want[:]) {
			t.Errorf("block %d isn't that of the counter %x", i, count)
		}
	}
	var tail [50]byte
	k.keystream(start, 23).xor(tail[:])
	if !bytes.Equal(tail[:], all[23:73]) {
		t.Error("the keystream from byte 23 on is another one")
	}
}
