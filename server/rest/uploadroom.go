package rest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parsescale/parsescale/server/parseerror"
)

const (
	// maxUploadsAside is how many uploads, each up to maxUploadSize, are put aside at a time: on the disk, because the content
	// comes before the credentials, or its length isn't known.
	maxUploadsAside = 64
	// slowUpload is how many bytes a second an upload needs to bring to keep its place while others wait for one, slowGrace
	// from when on that is looked at.
	slowUpload = 16 << 10
	slowGrace  = 5 * time.Second
	// lookForSlow is how often each of those who wait looks for one that is too slow, maxUploadWait how long it waits.
	lookForSlow   = time.Second
	maxUploadWait = 30 * time.Second
)

var (
	errTooSlow = plain(http.StatusRequestTimeout, "request timeout")
	errNoRoom  = &parseerror.Error{Code: parseerror.RequestLimitExceeded, Message: "Too many uploads are under way.", Status: http.StatusTooManyRequests}
)

// incoming is the body of an upload on its way in.
type incoming struct {
	io.ReadCloser
	// control ends the wait for what the client sends.
	control interface{ SetReadDeadline(time.Time) error }
	n       atomic.Int64 // bytes that have come
	whole   atomic.Bool  // nothing more is to come
	cut     atomic.Bool

	begun time.Time // since when it has its place
	had   int64     // what had come by then
}

// Read implements io.Reader.
func (i *incoming) Read(p []byte) (int, error) {
	n, err := i.ReadCloser.Read(p)
	i.n.Add(int64(n))
	if err != nil {
		i.whole.Store(true)
	}
	if err != nil && !errors.Is(err, io.EOF) && i.cut.Load() {
		err = errTooSlow
	}
	return n, err
}

// rate is how many bytes a second it brings.
func (i *incoming) rate(now time.Time) float64 {
	return float64(i.n.Load()-i.had) / now.Sub(i.begun).Seconds()
}

// uploadRoom has the places of the uploads that are put aside at a time. Anybody may take one, without credentials, and would
// keep it by sending next to nothing: so while others wait, the slowest of those that are too slow has to go.
type uploadRoom struct {
	places chan struct{}

	mu     sync.Mutex
	inside map[*incoming]bool
}

func newUploadRoom(places int) *uploadRoom {
	return &uploadRoom{places: make(chan struct{}, places), inside: map[*incoming]bool{}}
}

// enter waits for a place, which the upload has until leave is called.
func (r *uploadRoom) enter(ctx context.Context, in *incoming) (leave func(), err error) {
	select {
	case r.places <- struct{}{}:
	default:
		if err := r.wait(ctx); err != nil {
			return nil, err
		}
	}
	in.begun, in.had = time.Now(), in.n.Load()
	r.mu.Lock()
	r.inside[in] = true
	r.mu.Unlock()
	return func() {
		r.mu.Lock()
		delete(r.inside, in)
		r.mu.Unlock()
		<-r.places
	}, nil
}

func (r *uploadRoom) wait(ctx context.Context) error {
	look, over := time.NewTicker(lookForSlow), time.NewTimer(maxUploadWait)
	defer look.Stop()
	defer over.Stop()
	for {
		r.cutSlowest(time.Now())
		select {
		case r.places <- struct{}{}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-over.C:
			return errNoRoom
		case <-look.C:
		}
	}
}

// cutSlowest has the slowest upload fail that is too slow.
func (r *uploadRoom) cutSlowest(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var slowest *incoming
	least := float64(slowUpload)
	for in := range r.inside {
		if now.Sub(in.begun) < slowGrace || in.whole.Load() || in.cut.Load() {
			continue
		}
		if rate := in.rate(now); rate < least {
			slowest, least = in, rate
		}
	}
	if slowest != nil {
		slowest.cut.Store(true)
		// Under the lock, so that it doesn't hit the connection's next request. One that can't be cut off stays.
		_ = slowest.control.SetReadDeadline(now)
	}
}
