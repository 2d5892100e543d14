package disk

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// AES-256-GCM with nonces of 16 bytes, in pieces: the standard library's works on whole messages only, and files don't fit
// in memory. Here the cipher is the library's counter mode, and the hash is taken piece by piece from the library's tags.

const (
	blockSize = 16
	nonceSize = 16
	tagSize   = 16
	// pieceSize is how many bytes are hashed at a time: a multiple of the block.
	pieceSize = 64 << 10
)

// key is a secret that encrypts files.
type key struct {
	block cipher.Block
	aead  cipher.AEAD
	h     element // the hash's key
	hInv  element // its inverse: h·hInv = 1
	mask  element // what aead adds to the hash of a message with the nonce zero
}

// newKey derives the key from a text, as parse-server's adapter does.
func newKey(text string) (*key, error) {
	sum := sha256.Sum256([]byte(text))
	block, err := aes.NewCipher([]byte(base64.StdEncoding.EncodeToString(sum[:])[:32]))
	if err != nil {
		return nil, fmt.Errorf("cannot use the encryption key: %w", err)
	}
	k := &key{block: block}
	if k.aead, err = cipher.NewGCM(block); err != nil {
		return nil, fmt.Errorf("cannot use the encryption key: %w", err)
	}
	k.h = k.encrypt(element{})
	k.hInv = k.h.inverse()
	k.mask = k.encrypt(element{0, 1})
	return k, nil
}

func (k *key) encrypt(e element) element {
	var b [blockSize]byte
	e.put(b[:])
	k.block.Encrypt(b[:], b[:])
	return read(b[:])
}

// start is the counter before the first block, from the nonce.
func (k *key) start(nonce []byte) element {
	return read(nonce).times(k.h).plus(element{0, nonceSize * 8}).times(k.h)
}

// hash is GHASH of what was added.
type hash struct {
	k     *key
	state element
	size  uint64
	piece []byte
}

// add takes more of the message.
func (h *hash) add(p []byte) {
	h.size += uint64(len(p))
	for len(p) > 0 {
		n := min(len(p), pieceSize-len(h.piece))
		h.piece = append(h.piece, p[:n]...)
		p = p[n:]
		if len(h.piece) == pieceSize {
			h.flush()
		}
	}
}

// flush hashes the piece. The library's tag of a message that is all additional data is (Y + L)·H + mask, with Y the hash
// that is looked for and L the length; the hash so far goes into the first block.
func (h *hash) flush() {
	if len(h.piece) == 0 {
		return
	}
	bits := uint64(len(h.piece)) * 8
	for len(h.piece) < blockSize {
		h.piece = append(h.piece, 0)
		bits = blockSize * 8
	}
	read(h.piece).plus(h.state).put(h.piece)
	var nonce [12]byte
	tag := h.k.aead.Seal(nil, nonce[:], nil, h.piece)
	h.state = read(tag).plus(h.k.mask).times(h.k.hInv).plus(element{bits, 0})
	h.piece = h.piece[:0]
}

// tag ends the message and returns its tag.
func (h *hash) tag(start element) []byte {
	h.flush()
	out := make([]byte, tagSize)
	h.state.plus(element{0, h.size * 8}).times(h.k.h).plus(h.k.encrypt(start)).put(out)
	return out
}

// sameTag compares in constant time.
func sameTag(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// keystream is the cipher from some byte on. Its counter has 32 bits, unlike the library's, which runs over.
type keystream struct {
	k     *key
	start element
	next  int64 // the byte that comes next
	ctr   cipher.Stream
	left  int64 // bytes until ctr runs over
}

func (k *key) keystream(start element, offset int64) *keystream {
	return &keystream{k: k, start: start, next: offset}
}

// xor encrypts or decrypts in place.
func (s *keystream) xor(p []byte) {
	for len(p) > 0 {
		if s.left == 0 {
			s.open()
		}
		n := int(min(int64(len(p)), s.left))
		s.ctr.XORKeyStream(p[:n], p[:n])
		p = p[n:]
		s.left -= int64(n)
		s.next += int64(n)
	}
}

func (s *keystream) open() {
	number, within := s.next/blockSize, s.next%blockSize
	count := uint32(s.start.low) + 1 + uint32(number) //nolint:gosec // it is to wrap around
	var iv [blockSize]byte
	element{s.start.high, s.start.low&^0xffffffff | uint64(count)}.put(iv[:])
	s.ctr = cipher.NewCTR(s.k.block, iv[:])
	s.left = (1<<32-int64(count))*blockSize - within
	var skip [blockSize]byte
	s.ctr.XORKeyStream(skip[:within], skip[:within])
}

// element is a number of GCM's field, the first byte in the highest bits.
type element struct{ high, low uint64 }

func read(b []byte) element {
	return element{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

func (e element) put(b []byte) {
	binary.BigEndian.PutUint64(b, e.high)
	binary.BigEndian.PutUint64(b[8:], e.low)
}

func (e element) plus(o element) element { return element{e.high ^ o.high, e.low ^ o.low} }

// times multiplies, in constant time.
func (e element) times(o element) element {
	var z element
	for range 128 {
		take := -(e.high >> 63)
		e.high, e.low = e.high<<1|e.low>>63, e.low<<1
		z.high ^= o.high & take
		z.low ^= o.low & take
		carry := -(o.low & 1)
		o.low = o.low>>1 | o.high<<63
		o.high = o.high>>1 ^ 0xe1<<56&carry
	}
	return z
}

// inverse is e to the power of 2^128-2.
func (e element) inverse() element {
	result := element{1 << 63, 0} // one
	for range 127 {
		e = e.times(e)
		result = result.times(e)
	}
	return result
}
