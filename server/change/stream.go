package change

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Reader reads frames. It is used by one goroutine.
type Reader struct {
	r   *bufio.Reader
	buf []byte
}

// NewReader returns a Reader of r.
func NewReader(r io.Reader) *Reader { return &Reader{r: bufio.NewReaderSize(r, 32<<10)} }

// keptBuffer is the largest buffer kept between frames.
const keptBuffer = 1 << 20

// Next returns the next frame. At a clean end of the stream the error is io.EOF; after any error the stream is of no
// more use.
func (r *Reader) Next() (Frame, error) {
	var head [5]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return Frame{}, io.EOF
		}
		return Frame{}, fmt.Errorf("cannot read a frame: %w", err)
	}
	n := binary.BigEndian.Uint32(head[:])
	switch {
	case n == 0:
		return Frame{}, fmt.Errorf("cannot read a frame: %w", ErrMalformed)
	case n > MaxFrame:
		return Frame{}, fmt.Errorf("cannot read a frame: %w", ErrTooLarge)
	}
	payload, err := r.payload(int(n - 1))
	if err != nil {
		return Frame{}, fmt.Errorf("cannot read a frame: %w", err)
	}
	return Decode(Type(head[4]), payload)
}

// payload reads n bytes into the reader's buffer, which grows with what arrives rather than with what was announced.
func (r *Reader) payload(n int) ([]byte, error) {
	if cap(r.buf) > keptBuffer && n <= keptBuffer {
		r.buf = nil
	}
	r.buf = r.buf[:0]
	for len(r.buf) < n {
		step := min(n-len(r.buf), max(keptBuffer/4, len(r.buf)))
		if free := cap(r.buf) - len(r.buf); free < step {
			grown := make([]byte, len(r.buf), len(r.buf)+step)
			copy(grown, r.buf)
			r.buf = grown
		}
		next := r.buf[len(r.buf) : len(r.buf)+step]
		if _, err := io.ReadFull(r.r, next); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		r.buf = r.buf[:len(r.buf)+step]
	}
	return r.buf, nil
}

// maxBacklog bounds what waits to be written: a peer that doesn't read has failed.
const maxBacklog = 64 << 20

var (
	// ErrBacklog: the peer has stopped reading.
	ErrBacklog = errors.New("the other end doesn't read its control stream")
	// ErrWriterClosed: the Writer was closed.
	ErrWriterClosed = errors.New("the control stream is closed")
)

// Writer sends frames in the order of the calls to Send, without making the sender wait: a goroutine of its own writes
// them, all that have gathered in one call. It is safe for concurrent use.
type Writer struct {
	w    io.Writer
	wake chan struct{} // holds one token when there is something to do
	done chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex
	queue   []byte
	busy    bool            // a write is under way
	flushed []chan struct{} // to be closed when everything is written, or nothing will be
	err     error
}

// NewWriter returns a Writer to w, which is never closed by it.
func NewWriter(w io.Writer) *Writer {
	x := &Writer{w: w, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go x.run()
	return x
}

// Send queues a frame. An error means that it was not queued, or that an earlier one could not be written.
func (w *Writer) Send(f *Frame) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	if len(w.queue) > maxBacklog {
		return ErrBacklog
	}
	q, err := f.Append(w.queue)
	w.queue = q
	if err != nil {
		return err
	}
	w.signal()
	return nil
}

// Flush waits until everything that was sent is written.
func (w *Writer) Flush(ctx context.Context) error {
	w.mu.Lock()
	if w.err != nil || (len(w.queue) == 0 && !w.busy) {
		defer w.mu.Unlock()
		return w.err
	}
	flushed := make(chan struct{})
	w.flushed = append(w.flushed, flushed)
	w.mu.Unlock()
	select {
	case <-flushed:
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close makes every further Send fail and drops what is queued. A write under way ends when its io.Writer is closed.
func (w *Writer) Close() { w.end(ErrWriterClosed) }

// Done is closed when the Writer will write no more: after Close, or a write that failed.
func (w *Writer) Done() <-chan struct{} { return w.done }

func (w *Writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *Writer) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	w.queue = nil
	w.release()
	w.signal()
}

// release wakes whoever waits in Flush. The lock is held.
func (w *Writer) release() {
	for _, c := range w.flushed {
		close(c)
	}
	w.flushed = nil
}

func (w *Writer) run() {
	defer close(w.done)
	var out []byte
	for range w.wake {
		for {
			w.mu.Lock()
			w.busy = false
			if w.err != nil {
				w.mu.Unlock()
				return
			}
			if len(w.queue) == 0 {
				w.release()
				w.mu.Unlock()
				break
			}
			out, w.queue = w.queue, out[:0]
			if cap(w.queue) > keptBuffer {
				w.queue = nil
			}
			w.busy = true
			w.mu.Unlock()
			if _, err := w.w.Write(out); err != nil {
				w.end(fmt.Errorf("cannot write to the control stream: %w", err))
				return
			}
		}
	}
}
