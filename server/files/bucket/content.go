package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"gocloud.dev/blob"

	"github.com/parsescale/parsescale/server/files"
)

var (
	// errStalled: the store says nothing any more.
	errStalled = errors.New("the store has stalled")
	errChanged = errors.New("another file took its place while it was read")
)

// impatient cancels what takes too long.
type impatient struct {
	patience time.Duration
	cancel   context.CancelCauseFunc
	timer    *time.Timer
}

// begin starts the clock: from now on it is the store that is waited for.
func (i *impatient) begin() {
	if i.timer == nil {
		i.timer = time.AfterFunc(i.patience, func() { i.cancel(errStalled) })
		return
	}
	i.timer.Reset(i.patience)
}

// end stops it.
func (i *impatient) end() { i.timer.Stop() }

// source is the content of an upload. What it can't give ends the upload before the store keeps anything.
type source struct {
	caller  context.Context
	from    io.Reader
	left    int64       // bytes that may come
	fail    func(error) // ends the upload
	waiting *impatient  // while the store is waited for, not the caller
	failed  error
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	s.waiting.end()
	if s.failed != nil {
		return 0, s.failed
	}
	if int64(len(p)) > s.left+1 {
		p = p[:s.left+1] // one byte more is too much
	}
	n, err := 0, s.caller.Err()
	if err == nil {
		n, err = s.from.Read(p)
	}
	if s.left -= int64(n); s.left < 0 {
		err = files.ErrTooLarge
	}
	if err == io.EOF {
		s.waiting.patience *= endings
	} else if err != nil {
		s.failed = err
		s.fail(err)
		return 0, err
	}
	s.waiting.begin()
	return n, err
}

// content is an object that is asked for where and when it is read, and no more of it than is wanted.
type content struct {
	s        *Store
	ctx      context.Context
	key      string
	size     int64
	modified time.Time
	part     files.Span

	at      int64
	reader  *blob.Reader // nil: nothing was asked for
	left    int64        // of it
	waiting *impatient
}

// Read implements io.Reader.
func (c *content) Read(p []byte) (n int, err error) {
	if c.at >= c.size {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if c.reader == nil {
		if err := c.ask(); err != nil {
			return 0, fmt.Errorf("cannot read the file: %w", err)
		}
	}
	c.waiting.begin()
	n, err = c.reader.Read(p)
	c.waiting.end()
	c.at += int64(n)
	c.left -= int64(n)
	switch {
	case c.left <= 0:
		c.stop()
		err = nil // if there is more, the next call asks for it
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return n, fmt.Errorf("cannot read the file: %w", err)
	}
	return n, nil
}

// ask opens the object where the reader is.
func (c *content) ask() error {
	length := c.size - c.at
	if c.part.Length > 0 && c.at == c.part.Offset {
		length = min(length, c.part.Length)
	}
	ctx, cancel := context.WithCancelCause(c.ctx)
	c.waiting = &impatient{patience: c.s.patience, cancel: cancel}
	c.waiting.begin()
	r, err := c.s.bucket.NewRangeReader(ctx, c.key, c.at, length, nil)
	c.waiting.end()
	if err != nil {
		cancel(nil)
		return causeOf(ctx, err)
	}
	if r.Size() != c.size || !r.ModTime().IsZero() && !r.ModTime().Truncate(time.Second).Equal(c.modified.Truncate(time.Second)) {
		cancel(nil)
		return errors.Join(errChanged, r.Close())
	}
	c.reader, c.left = r, length
	return nil
}

// stop ends what was asked for.
func (c *content) stop() {
	if c.reader != nil {
		_ = c.reader.Close()
		c.waiting.cancel(nil)
		c.reader = nil
	}
}

// Seek implements io.Seeker.
func (c *content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.at
	case io.SeekEnd:
		offset += c.size
	}
	if offset < 0 {
		return 0, errors.New("cannot read the file from before its start")
	}
	if offset != c.at {
		c.stop()
		c.at = offset
	}
	return offset, nil
}

// Close implements io.Closer.
func (c *content) Close() error {
	c.stop()
	return nil
}
