package coding

import (
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

var decoder = sync.OnceValue(func() *zstd.Decoder { // these options are valid
	d, _ := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
	return d
})

// Decode returns the body that Encode made this of in zstd, of max bytes at most.
func Decode(packed []byte, max int) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(packed); err != nil {
		return nil, fmt.Errorf("cannot decode a body: %w", err)
	}
	if !h.HasFCS || h.FrameContentSize > uint64(max) {
		return nil, fmt.Errorf("cannot decode a body of more than %d bytes", max)
	}
	body, err := decoder().DecodeAll(packed, make([]byte, 0, h.FrameContentSize))
	if err != nil {
		return nil, fmt.Errorf("cannot decode a body: %w", err)
	}
	if uint64(len(body)) != h.FrameContentSize {
		return nil, fmt.Errorf("cannot decode a body: it has %d bytes, not %d", len(body), h.FrameContentSize)
	}
	return body, nil
}
