// Package gate holds requests back while something is changed that no request may see half done, and tells when the last of
// those that were let in has ended. It must not know what the requests are.
package gate

import (
	"context"
	"sync/atomic"
)

// Gate is passed by every request. The zero value is open. It is shut, opened and redirected by one caller at a time.
type Gate struct {
	inside atomic.Int64
	shut   atomic.Pointer[closing] // nil while the gate is open
}

// closing is a time in which the gate is shut.
type closing struct {
	quiet     chan struct{} // gets a value when the last request leaves
	over      chan struct{} // closed at the end
	elsewhere bool          // written before over is closed
}

// Enter lets a request in, as soon as the gate is open; Leave has to follow. It returns false where the request has to be sent
// elsewhere, and an error if ctx ends first.
func (g *Gate) Enter(ctx context.Context) (in bool, err error) {
	for {
		g.inside.Add(1)
		c := g.shut.Load()
		if c == nil {
			return true, nil
		}
		g.Leave()
		select {
		case <-c.over:
			if c.elsewhere {
				return false, nil
			}
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// Leave tells that a request that was let in has ended.
func (g *Gate) Leave() {
	if g.inside.Add(-1) > 0 {
		return
	}
	if c := g.shut.Load(); c != nil {
		select {
		case c.quiet <- struct{}{}:
		default:
		}
	}
}

// Shut lets no more requests in, and returns once those that are inside have left. If they haven't at the end of ctx, the gate
// is open again.
func (g *Gate) Shut(ctx context.Context) error {
	c := &closing{quiet: make(chan struct{}, 1), over: make(chan struct{})}
	g.shut.Store(c)
	for g.inside.Load() > 0 {
		select {
		case <-c.quiet:
		case <-ctx.Done():
			g.Open()
			return ctx.Err()
		}
	}
	return nil
}

// Open lets in whoever waits, and those who come.
func (g *Gate) Open() {
	if c := g.shut.Swap(nil); c != nil {
		close(c.over)
	}
}

// Redirect sends whoever waits at the shut gate elsewhere, and those who come. It is for good.
func (g *Gate) Redirect() {
	if c := g.shut.Load(); c != nil {
		c.elsewhere = true
		close(c.over)
	}
}

// Inside is how many requests have entered and not left.
func (g *Gate) Inside() int64 { return g.inside.Load() }
