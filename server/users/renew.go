package users

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/write"
)

const (
	// maxRenewals bounds the tokens that wait to be looked at, and maxTokens those of which it is known when to.
	maxRenewals, maxTokens = 1000, 10000
	// renewalPause is how long a token isn't looked at again, as in parse-server.
	renewalPause = 500 * time.Millisecond
	// renewalTime bounds one look.
	renewalTime = 10 * time.Second
)

// Used notes that a session was used, so that it may last longer. It never waits: where there is too much to do, the
// next use will do.
func (u *Users) Used(token string) {
	if u == nil || u.renewals == nil || token == "" {
		return
	}
	r := u.renewals
	now := u.o.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if next, ok := r.next.Get(token); ok && now.Before(next) || r.closed {
		return
	}
	select {
	case r.tokens <- token:
		r.next.Add(token, now.Add(renewalPause))
	default:
	}
}

// renewals are the tokens to look at, one after the other.
type renewals struct {
	mu     sync.Mutex
	closed bool
	// next says when a token need be looked at again.
	next   *lru.Cache[string, time.Time]
	tokens chan string
	stop   context.CancelFunc
	done   chan struct{}
}

func newRenewals(renew func(context.Context, string) (time.Time, error)) *renewals {
	next, _ := lru.New[string, time.Time](maxTokens) // fails for sizes below 1 only
	ctx, stop := context.WithCancel(context.Background())
	r := &renewals{next: next, tokens: make(chan string, maxRenewals), stop: stop, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		for token := range r.tokens {
			look, cancel := context.WithTimeout(ctx, renewalTime)
			// A session that can't be renewed now is looked at again after the pause.
			if next, err := renew(look, token); err == nil && !next.IsZero() {
				r.mu.Lock()
				r.next.Add(token, next)
				r.mu.Unlock()
			}
			cancel()
		}
	}()
	return r
}

func (r *renewals) close() {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		r.stop()
		close(r.tokens)
	}
	r.mu.Unlock()
	<-r.done
}

// renew gives a session its full length again, if half of it is over since it was last changed, and says when half of it
// will be over next.
func (u *Users) renew(ctx context.Context, token string) (next time.Time, err error) {
	half := u.o.SessionLength / 2
	due := func(session storage.Object) bool {
		changed, _ := session["updatedAt"].(query.Date)
		next = changed.Add(half)
		return !next.After(u.o.Now())
	}
	var session storage.Object
	err = u.store.Read(ctx, func(s storage.Snapshot) error {
		sch, err := s.Schema(ctx)
		if err != nil {
			return err
		}
		session, err = auth.SessionByToken(ctx, s, sch, token, u.o.Now())
		return err
	})
	if err != nil || !due(session) {
		return next, err
	}
	id, _ := session["objectId"].(string)
	_, err = u.writes.Do(ctx, system, "", func(tx storage.Tx, _ *auth.Auth) (*write.Result, error) {
		done := &write.Result{Status: 200}
		sch, err := tx.Schema(ctx)
		if err != nil {
			return nil, err
		}
		row, err := tx.Lock(ctx, sch.Class(schema.Session), id)
		if errors.Is(err, storage.ErrNotFound) || err == nil && (row == nil || !due(row)) {
			return done, nil
		}
		if err != nil {
			return nil, err
		}
		return done, u.writes.ExtendSession(ctx, tx, row)
	})
	return u.o.Now().Add(half), err
}
