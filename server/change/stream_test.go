package change

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestWriterKeepsOrderAndNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pr, pw := io.Pipe()
		w := NewWriter(pw)
		// Nobody reads yet: Send must return all the same.
		for id := range uint64(100) {
			if err := w.Send(&Frame{Type: TypeAck, ID: id}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("flushing to a reader that doesn't read: %v", err)
		}
		var flushed error
		var wg sync.WaitGroup
		wg.Go(func() { flushed = w.Flush(t.Context()) })
		r := NewReader(pr)
		for id := range uint64(100) {
			if f, err := r.Next(); err != nil || f.ID != id {
				t.Fatalf("frame %d: %+v, %v", id, f, err)
			}
		}
		wg.Wait()
		if flushed != nil {
			t.Errorf("flush: %v", flushed)
		}
		w.Close()
		<-w.Done()
		if err := w.Send(&Frame{Type: TypePing}); !errors.Is(err, ErrWriterClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestWriterReportsABrokenStream(t *testing.T) {
	pr, pw := io.Pipe()
	w := NewWriter(pw)
	gone := errors.New("gone")
	pr.CloseWithError(gone)
	if err := w.Send(&Frame{Type: TypePing}); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(t.Context()); !errors.Is(err, gone) {
		t.Errorf("flush: %v", err)
	}
	<-w.Done()
	if err := w.Send(&Frame{Type: TypePing}); !errors.Is(err, gone) {
		t.Errorf("send: %v", err)
	}
}

func TestWriterBoundsItsBacklog(t *testing.T) {
	pr, pw := io.Pipe()
	defer pr.Close()
	w := NewWriter(pw)
	defer w.Close()
	big := Frame{Type: TypeFailed, Reason: string(make([]byte, 8<<20))}
	var err error
	for range 20 { // the Writer takes at most one backlog away before it blocks
		if err = w.Send(&big); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrBacklog) {
		t.Errorf("got %v, want ErrBacklog", err)
	}
}
