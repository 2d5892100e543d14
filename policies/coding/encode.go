package coding

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Encoder encodes bodies. Its zero value is ready for use; it is safe for concurrent use, and takes memory only once it was used.
type Encoder struct {
	gzips sync.Pool // of *gzip.Writer
	once  sync.Once
	zstd  *zstd.Encoder
}

// zstdWindow bounds the memory, in bytes, that encoding and decoding take.
const zstdWindow = 1 << 20

// Encode returns a body in a coding, in memory of just its size; nil if that isn't at least a tenth smaller.
func (e *Encoder) Encode(c Coding, body []byte) []byte {
	var out []byte
	switch c {
	case Gzip:
		out = e.gzip(body)
	case Zstd:
		e.once.Do(func() { // these options are valid
			e.zstd, _ = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstdWindow), zstd.WithLowerEncoderMem(true))
		})
		out = e.zstd.EncodeAll(body, make([]byte, 0, len(body)/2))
	}
	if out == nil || len(out) > len(body)/10*9 {
		return nil
	}
	return bytes.Clone(out)
}

func (e *Encoder) gzip(body []byte) []byte {
	var buf bytes.Buffer
	buf.Grow(len(body) / 2)
	w, ok := e.gzips.Get().(*gzip.Writer)
	if ok {
		w.Reset(&buf)
	} else {
		w = gzip.NewWriter(&buf)
	}
	defer e.gzips.Put(w)
	if _, err := w.Write(body); err != nil {
		return nil // a buffer doesn't fail
	}
	if err := w.Close(); err != nil {
		return nil
	}
	return buf.Bytes()
}
