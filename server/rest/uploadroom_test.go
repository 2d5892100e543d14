package rest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// trickle is a body that brings a piece each second, until its deadline.
type trickle struct {
	piece   int
	expired chan struct{}
}

func (b *trickle) Read(p []byte) (int, error) {
	select {
	case <-b.expired:
		return 0, errors.New("i/o timeout")
	case <-time.After(time.Second):
		return min(b.piece, len(p)), nil
	}
}

func (b *trickle) Close() error { return nil }

func (b *trickle) SetReadDeadline(time.Time) error {
	close(b.expired)
	return nil
}

func upload(piece int) *incoming {
	b := &trickle{piece, make(chan struct{})}
	return &incoming{ReadCloser: b, control: b}
}

// put has an upload take a place and come in until it fails; err gets how.
func put(t *testing.T, r *uploadRoom, in *incoming) (err chan error) {
	t.Helper()
	err = make(chan error, 1)
	leave, full := r.enter(t.Context(), in)
	if full != nil {
		t.Fatal(full)
	}
	go func() {
		_, e := io.CopyBuffer(struct{ io.Writer }{io.Discard}, in, make([]byte, 4*slowUpload))
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
		slowest, slow, quick := put(t, r, upload(1)), put(t, r, upload(slowUpload/2)), put(t, r, upload(2*slowUpload))
		time.Sleep(time.Hour)
		for name, err := range map[string]chan error{"slowest": slowest, "slow": slow, "quick": quick} {
			if len(err) != 0 {
				t.Errorf("the %s one ended although nobody waits: %v", name, <-err)
			}
		}
		begun := time.Now()
		next := put(t, r, upload(2*slowUpload))
		if err := <-slowest; !errors.Is(err, errTooSlow) || time.Since(begun) > lookForSlow {
			t.Errorf("the slowest one ended with %v, after %s", err, time.Since(begun))
		}
		after := put(t, r, upload(2*slowUpload))
		if err := <-slow; !errors.Is(err, errTooSlow) || time.Since(begun) > 2*lookForSlow {
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
		for in := range r.inside {
			close(in.ReadCloser.(*trickle).expired)
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
		stored.whole.Store(true)
		time.Sleep(time.Hour)
		begun := time.Now()
		ended := put(t, r, upload(1))
		leaveToo, err := r.enter(t.Context(), upload(1))
		if took := time.Since(begun); err != nil || took < slowGrace || took > slowGrace+lookForSlow {
			t.Errorf("%v, after %s", err, took)
		}
		if err := <-ended; !errors.Is(err, errTooSlow) || stored.cut.Load() {
			t.Errorf("%v; that which has come is cut off: %v", err, stored.cut.Load())
		}
		leave()
		leaveToo()
	})
}

// TestCutOffUpload: the wait for a client that sends nothing ends, and the client is told.
func TestCutOffUpload(t *testing.T) {
	r := newUploadRoom(1)
	entered := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		in := &incoming{ReadCloser: q.Body, control: http.NewResponseController(&tracked{ResponseWriter: w})}
		leave, err := r.enter(q.Context(), in)
		if err == nil {
			defer leave()
			close(entered)
			_, err = io.Copy(io.Discard, in)
		}
		if errors.Is(err, errTooSlow) {
			w.WriteHeader(http.StatusRequestTimeout)
		}
	}))
	defer s.Close()
	body, silent := io.Pipe()
	defer silent.Close()
	status := make(chan int, 1)
	go func() {
		res, err := http.Post(s.URL, "text/plain", body)
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		res.Body.Close()
		status <- res.StatusCode
	}()
	<-entered
	r.cutSlowest(time.Now().Add(slowGrace))
	select {
	case got := <-status:
		if got != http.StatusRequestTimeout {
			t.Errorf("status %d", got)
		}
	case <-time.After(10 * time.Second):
		t.Error("it still waits")
	}
}
