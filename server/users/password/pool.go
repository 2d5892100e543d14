// Package password hashes and compares passwords with bcrypt, a bounded number at a time: each takes tens of
// milliseconds of one core, and a flood of log-ins must not starve everything else.
//
// It must not know of users, sessions or storage.
package password

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"golang.org/x/crypto/bcrypt"
)

const (
	// cost is parse-server's bcrypt cost.
	cost = 10
	// maxLength is how many bytes of a password bcrypt looks at; what follows is cut off, as bcryptjs does.
	maxLength = 72
	// dummy is the hash that is compared with where there is none, so that it takes the same time.
	dummy = "$2a$10$1sjyt7e788XoKfT0DCOIH.qfPAa18R9PMe67hLnpGe/ub/axmOrmq"
)

// ErrBusy reports that too many hashes wait already; compare with errors.Is.
var ErrBusy = errors.New("too many passwords are waiting to be hashed")

// Pool runs bcrypt. It is safe for concurrent use.
type Pool struct {
	slots   chan struct{}
	queue   int64
	waiting atomic.Int64
	cost    int
}

// New returns a pool that runs workers hashes at a time and lets queue more wait. Zero workers means half of
// GOMAXPROCS, at least one; a zero queue means 64 for each worker.
func New(workers, queue int) *Pool {
	if workers <= 0 {
		workers = max(1, runtime.GOMAXPROCS(0)/2)
	}
	if queue <= 0 {
		queue = 64 * workers
	}
	return &Pool{slots: make(chan struct{}, workers), queue: int64(queue), cost: cost}
}

// NewCheap is New at bcrypt's lowest cost, at which a password is soon guessed: for tests that make many users, and
// nothing else.
func NewCheap(workers, queue int) *Pool {
	p := New(workers, queue)
	p.cost = bcrypt.MinCost
	return p
}

// Hash returns the bcrypt hash of a password. It is marked $2y$, as parse-server's are: $2a$, which Go writes, says the
// same but that some libraries once computed it wrongly.
func (p *Pool) Hash(ctx context.Context, password string) (string, error) {
	if err := p.enter(ctx); err != nil {
		return "", err
	}
	defer p.leave()
	hash, err := bcrypt.GenerateFromPassword(cut(password), p.cost)
	if err != nil {
		return "", fmt.Errorf("cannot hash a password: %w", err)
	}
	return "$2y$" + string(hash[len("$2a$"):]), nil
}

// Compare reports whether the password has the hash ($2a$, $2b$ or $2y$). An empty or unreadable hash takes as long as
// any other and is never matched.
func (p *Pool) Compare(ctx context.Context, hash, password string) (bool, error) {
	if err := p.enter(ctx); err != nil {
		return false, err
	}
	defer p.leave()
	err := bcrypt.CompareHashAndPassword([]byte(hash), cut(password))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		return false, nil
	}
	// The hash couldn't be read, and so nothing was computed yet.
	_ = bcrypt.CompareHashAndPassword([]byte(dummy), cut(password))
	return false, nil
}

// enter takes a slot, or waits in the queue if there is room in it.
func (p *Pool) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case p.slots <- struct{}{}:
		return nil
	default:
	}
	if p.waiting.Add(1) > p.queue {
		p.waiting.Add(-1)
		return ErrBusy
	}
	defer p.waiting.Add(-1)
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *Pool) leave() { <-p.slots }

func cut(password string) []byte {
	if len(password) > maxLength {
		password = password[:maxLength]
	}
	return []byte(password)
}
