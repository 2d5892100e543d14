package disk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
)

// errSealed: the file isn't what was stored with this key.
var errSealed = errors.New("it isn't encrypted with the key that is configured, or it is damaged")

// sealer encrypts what is written to it. The file is the encrypted content, the nonce and the tag.
type sealer struct {
	to     io.Writer
	nonce  []byte
	start  element
	stream *keystream
	hash   hash
	buffer []byte
}

func (k *key) seal(to io.Writer) *sealer {
	nonce := make([]byte, nonceSize)
	_, _ = rand.Read(nonce) // never fails
	start := k.start(nonce)
	return &sealer{to: to, nonce: nonce, start: start, stream: k.keystream(start, 0), hash: hash{k: k}}
}

// Write implements io.Writer.
func (s *sealer) Write(p []byte) (int, error) {
	s.buffer = append(s.buffer[:0], p...)
	s.stream.xor(s.buffer)
	s.hash.add(s.buffer)
	return s.to.Write(s.buffer)
}

// Close writes what ends the file. It doesn't close what is written to.
func (s *sealer) Close() error {
	_, err := s.to.Write(append(s.nonce, s.hash.tag(s.start)...))
	return err
}

// open reads the whole file once, to see that nobody changed it, before a byte of it is believed. Closing what it returns
// closes the file.
func (k *key) open(ctx context.Context, f *os.File, size int64) (io.ReadSeekCloser, int64, error) {
	size -= nonceSize + tagSize
	if size < 0 {
		return nil, 0, errSealed
	}
	var end [nonceSize + tagSize]byte
	if _, err := f.ReadAt(end[:], size); err != nil {
		return nil, 0, err
	}
	start := k.start(end[:nonceSize])
	sum := hash{k: k}
	buffer := make([]byte, pieceSize)
	for at := int64(0); at < size; {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		n, err := f.ReadAt(buffer[:min(size-at, pieceSize)], at)
		if err != nil {
			return nil, 0, err
		}
		sum.add(buffer[:n])
		at += int64(n)
	}
	if !sameTag(sum.tag(start), end[nonceSize:]) {
		return nil, 0, errSealed
	}
	return &opener{SectionReader: io.NewSectionReader(f, 0, size), file: f, k: k, start: start}, size, nil
}

// opener decrypts a file, from wherever it is read.
type opener struct {
	*io.SectionReader
	file   *os.File
	k      *key
	start  element
	stream *keystream // nil: where the reader is, isn't known to it
}

// Read implements io.Reader.
func (o *opener) Read(p []byte) (int, error) {
	if o.stream == nil {
		at, err := o.SectionReader.Seek(0, io.SeekCurrent)
		if err != nil {
			return 0, err
		}
		o.stream = o.k.keystream(o.start, at)
	}
	n, err := o.SectionReader.Read(p)
	o.stream.xor(p[:n])
	return n, err
}

// Seek implements io.Seeker.
func (o *opener) Seek(offset int64, whence int) (int64, error) {
	o.stream = nil
	at, err := o.SectionReader.Seek(offset, whence)
	if err != nil {
		return 0, fmt.Errorf("cannot read the file from there: %w", err)
	}
	return at, nil
}

// Close implements io.Closer.
func (o *opener) Close() error { return o.file.Close() }
