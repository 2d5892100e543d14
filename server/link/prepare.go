package link

import (
	"context"
	"fmt"
	"sync"

	"github.com/parsescale/parsescale/server/change"
)

// Prepare announces changes and returns once the gateway has applied them. The caller then commits, and calls finish
// with whether it did; finish doesn't wait, and only its first call counts. After an error nothing may be committed:
// the gateway is told to forget the changes, or is gone. Several prepares may be under way at once.
//
// It implements storage.Announcer.
func (l *Link) Prepare(ctx context.Context, changes []change.Change) (finish func(committed bool), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	id, acked, err := l.announce(changes)
	if err != nil {
		return nil, fmt.Errorf("cannot announce a write: %w", err)
	}
	select {
	case <-acked:
	case <-ctx.Done():
		l.settle(id, false)
		return nil, fmt.Errorf("cannot announce a write: %w", ctx.Err())
	case <-l.lost:
		l.settle(id, false)
		return nil, fmt.Errorf("cannot announce a write: %w", ErrLost)
	}
	var once sync.Once
	return func(committed bool) { once.Do(func() { l.settle(id, committed) }) }, nil
}

// announce sends the changes under the next id. Ids follow each other on the stream without gaps, so the id is given
// and the frame queued in one step.
func (l *Link) announce(changes []change.Change) (id uint64, acked chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ended:
		return 0, nil, ErrLost
	case l.drained:
		return 0, nil, ErrDraining
	}
	id = l.lastID + 1
	if err := l.w.Send(&change.Frame{Type: change.TypePrepare, ID: id, Changes: changes}); err != nil {
		return 0, nil, err
	}
	l.lastID = id
	l.open++
	acked = make(chan struct{})
	l.waiting[id] = acked
	return id, acked, nil
}

// settle tells the gateway how a prepared write ended. If the stream is gone, so is whoever would care: the gateway
// settles what is in doubt once this process has ended.
func (l *Link) settle(id uint64, committed bool) {
	t := change.TypeAbort
	if committed {
		t = change.TypeDone
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, id)
	l.open--
	_ = l.w.Send(&change.Frame{Type: t, ID: id})
}
