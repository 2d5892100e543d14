package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/trickle"
)

const (
	// maxUploadsAside is how many uploads, each up to maxUploadSize, are put aside at a time: on the disk, because the content
	// comes before the credentials, or its length isn't known.
	maxUploadsAside = 64
	// lookForSlow is how often each of those who wait looks for one that is too slow, maxUploadWait how long it waits.
	lookForSlow   = time.Second
	maxUploadWait = 30 * time.Second
)

var (
	errTooSlow = plain(http.StatusRequestTimeout, "request timeout")
	errNoRoom  = &parseerror.Error{Code: parseerror.RequestLimitExceeded, Message: "Too many uploads are under way.", Status: http.StatusTooManyRequests}
)

// uploadRoom has the places of the uploads that are put aside at a time. Anybody may take one, without credentials, and would
// keep it by sending next to nothing: so while others wait, the slowest of those that are too slow has to go.
type uploadRoom struct {
	places chan struct{}
	inside *trickle.Bodies
}

func newUploadRoom(places int) *uploadRoom {
	return &uploadRoom{places: make(chan struct{}, places), inside: trickle.Among(time.Now)}
}

// enter waits for a place, which the upload has until leave is called.
func (r *uploadRoom) enter(ctx context.Context, in *trickle.Body) (leave func(), err error) {
	select {
	case r.places <- struct{}{}:
	default:
		if err := r.wait(ctx); err != nil {
			return nil, err
		}
	}
	r.inside.Add(in)
	return func() {
		r.inside.Remove(in)
		<-r.places
	}, nil
}

func (r *uploadRoom) wait(ctx context.Context) error {
	look, over := time.NewTicker(lookForSlow), time.NewTimer(maxUploadWait)
	defer look.Stop()
	defer over.Stop()
	for {
		r.inside.CutSlowest()
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
