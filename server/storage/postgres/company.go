package postgres

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// Under load a round trip costs more than what is done in it: the server and we wake each other up, read and write. So
// requests of a kind share one: while some are under way, those that come wait, and go out together. A request that finds
// nobody under way goes at once, so that there is no delay to tune. Who waits does so for requests of the same kind, about the
// same class, which are all short (of finds, those that have shown it: see pace), and is never worse off than in a queue for a
// connection.
//
// If anything goes wrong with a company, each of its members tries again alone, and sees what is wrong with its own request.

const (
	// mostUnderWay is how many companies of a class, and a kind, are under way at a time: as one waits for the network or the
	// disk, another one is worked on.
	mostUnderWay = 4
	// mostMembers bounds a company, so that the first answer of one isn't long after the first answer that is there.
	mostMembers = 32
)

// errApart: something was wrong with the company; the request has to be made alone.
var errApart = errors.New("cannot be done together with others")

// company has requests of one kind served together, by one of those who make them.
type company[T any] struct {
	mu       sync.Mutex
	underWay int
	waiting  []*member[T]
}

// member is a request that waits.
type member[T any] struct {
	request T
	// turn gives the members that are to be served by this one, itself among them, or nil once it was served.
	turn chan []*member[T]
}

// join serves the request, or has it served once fewer than most companies are under way, unless ctx ends while it waits.
// serve is called with the requests of several members, by one of them.
func (c *company[T]) join(ctx context.Context, most int, request T, serve func([]T)) error {
	c.mu.Lock()
	m := &member[T]{request: request}
	if c.underWay < most {
		c.underWay++
		c.mu.Unlock()
		c.lead([]*member[T]{m}, serve)
		return nil
	}
	m.turn = make(chan []*member[T], 1)
	c.waiting = append(c.waiting, m)
	c.mu.Unlock()
	var all []*member[T]
	select {
	case all = <-m.turn:
	case <-ctx.Done():
		if c.leave(m) {
			return ctx.Err()
		}
		all = <-m.turn // the others count on it
	}
	if all != nil {
		c.lead(all, serve)
	}
	return nil
}

// leave takes a member out that waits, and reports whether it still did.
func (c *company[T]) leave(m *member[T]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.waiting, m)
	if i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
	}
	return i >= 0
}

// lead serves members, of which the caller is the first, and has one of those who came meanwhile go on.
func (c *company[T]) lead(all []*member[T], serve func([]T)) {
	defer func() { // also if serve panics
		for _, m := range all[1:] {
			m.turn <- nil
		}
		c.mu.Lock()
		n := min(len(c.waiting), mostMembers)
		if n == 0 {
			c.underWay--
			c.mu.Unlock()
			return
		}
		next := slices.Clone(c.waiting[:n])
		clear(c.waiting[:n]) // what is before a slice is kept with it
		c.waiting = c.waiting[n:]
		c.mu.Unlock()
		next[0].turn <- next
	}()
	requests := make([]T, len(all))
	for i, m := range all {
		requests[i] = m.request
	}
	serve(requests)
}
