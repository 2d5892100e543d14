package rest

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parsescale/parsescale/server/trickle"
)

// dripping is a body that brings a piece each second, until its deadline.
type dripping struct {
	piece   int
	expired chan struct{}
}

func (b *dripping) Read(p []byte) (int, error) {
	select {
	case <-b.expired:
		return 0, errors.New("i/o timeout")
	case <-time.After(time.Second):
		return min(b.piece, len(p)), nil
	}
}

func (b *dripping) Close() error { return nil }

func (b *dripping) SetReadDeadline(time.Time) error {
	close(b.expired)
	return nil
}

func upload(piece int) *trickle.Body {
	b := &dripping{piece, make(chan struct{})}
	return trickle.New(b, b)
}

func expired(in *trickle.Body) chan struct{} { return in.ReadCloser.(*dripping).expired }

// put has an upload take a place and come in until it fails; err gets how.
func put(t *testing.T, r *uploadRoom, in *trickle.Body) (err chan error) {
	t.Helper()
	err = make(chan error, 1)
	leave, full := r.enter(t.Context(), in)
	if full != nil {
		t.Fatal(full)
	}
	go func() {
		_, e := io.CopyBuffer(struct{ io.Writer }{io.Discard}, in, make([]byte, 4*trickle.Least))
		leave()
		err <- e
	}()
	return err
}

// TestSlowUploadsMakeRoom: as long as there is room uploads may be slow. While others wait the slowest of the slow goes, and
// nobody who isn't slow.
func TestSlowUploadsMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUploadRoom(3)
		fast := [3]*trickle.Body{upload(2 * trickle.Least), upload(2 * trickle.Least), upload(2 * trickle.Least)}
		slowest, slow, quick := put(t, r, upload(1)), put(t, r, upload(trickle.Least/2)), put(t, r, fast[0])
		time.Sleep(time.Hour)
		for name, err := range map[string]chan error{"slowest": slowest, "slow": slow, "quick": quick} {
			if len(err) != 0 {
				t.Errorf("the %s one ended although nobody waits: %v", name, <-err)
			}
		}
		begun := time.Now()
		next := put(t, r, fast[1])
		if err := <-slowest; !errors.Is(err, trickle.ErrTooSlow) || time.Since(begun) > lookForSlow {
			t.Errorf("the slowest one ended with %v, after %s", err, time.Since(begun))
		}
		after := put(t, r, fast[2])
		if err := <-slow; !errors.Is(err, trickle.ErrTooSlow) || time.Since(begun) > 2*lookForSlow {
			t.Errorf("the slow one ended with %v, after %s", err, time.Since(begun))
		}
		begun = time.Now()
		if _, err := r.enter(t.Context(), upload(1)); !errors.Is(err, errNoRoom) || time.Since(begun) != maxUploadWait {
			t.Errorf("where all are quick: %v, after %s", err, time.Since(begun))
		}
		gone, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.enter(gone, upload(1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		for _, err := range []chan error{quick, next, after} {
			if len(err) != 0 {
				t.Errorf("a quick one ended: %v", <-err)
			}
		}
		for _, in := range fast {
			close(expired(in))
		}
	})
}

// TestNewUploadsHaveTime: whoever has just come, or has brought everything and waits for the store, isn't too slow.
func TestNewUploadsHaveTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUploadRoom(2)
		stored := upload(1)
		leave, err := r.enter(t.Context(), stored)
		if err != nil {
			t.Fatal(err)
		}
		stored.Whole()
		time.Sleep(time.Hour)
		begun := time.Now()
		ended := put(t, r, upload(1))
		leaveToo, err := r.enter(t.Context(), upload(1))
		if took := time.Since(begun); err != nil || took < trickle.Grace || took > trickle.Grace+lookForSlow {
			t.Errorf("%v, after %s", err, took)
		}
		if err := <-ended; !errors.Is(err, trickle.ErrTooSlow) {
			t.Error(err)
		}
		select {
		case <-expired(stored):
			t.Error("what has come is cut off")
		default:
		}
		leave()
		leaveToo()
	})
}
