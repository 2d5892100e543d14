package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/parsescale/parsescale/server/trickle"
)

// spoolMemory is how much of an upload is held in memory before it goes to a file.
const spoolMemory = 256 << 10

// spool keeps content until it is known whether it may be stored: a little of it in memory, more in a temporary file.
type spool struct {
	memory []byte
	file   *os.File // nil: it is all in memory
	size   int64
	done   func()
}

// putAside returns a spool for an upload, once there is room. It must be closed.
func (a *API) putAside(ctx context.Context, in *trickle.Body) (*spool, error) {
	leave, err := a.uploads.enter(ctx, in)
	if err != nil {
		return nil, err
	}
	return &spool{done: leave}, nil
}

// Write implements io.Writer.
func (s *spool) Write(p []byte) (int, error) {
	s.size += int64(len(p))
	if s.file == nil && len(s.memory)+len(p) <= spoolMemory {
		s.memory = append(s.memory, p...)
		return len(p), nil
	}
	if s.file == nil {
		f, err := os.CreateTemp("", "parsescale-upload-*")
		if err != nil {
			return 0, fmt.Errorf("cannot put an upload aside: %w", err)
		}
		s.file = f
		// Without a name it is gone when the process is, however that ends. Systems that can't do that remove it in close.
		_ = os.Remove(f.Name())
		if _, err := f.Write(s.memory); err != nil {
			return 0, fmt.Errorf("cannot put an upload aside: %w", err)
		}
		s.memory = nil
	}
	n, err := s.file.Write(p)
	if err != nil {
		return n, fmt.Errorf("cannot put an upload aside: %w", err)
	}
	return n, nil
}

func (s *spool) reset() error {
	s.memory, s.size = s.memory[:0], 0
	if s.file == nil {
		return nil
	}
	_, err := s.file.Seek(0, io.SeekStart)
	if err := errors.Join(err, s.file.Truncate(0)); err != nil {
		return fmt.Errorf("cannot put an upload aside: %w", err)
	}
	return nil
}

// reader reads what was written.
func (s *spool) reader() (io.Reader, error) {
	if s.file == nil {
		return bytes.NewReader(s.memory), nil
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("cannot read an upload that was put aside: %w", err)
	}
	// Its own type has methods that would make copying look at the file's size, which is no use here.
	return io.LimitReader(s.file, s.size), nil
}

func (s *spool) close() {
	if s.file != nil {
		_ = s.file.Close()
		_ = os.Remove(s.file.Name())
	}
	s.done()
}
