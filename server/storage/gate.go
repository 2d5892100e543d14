package storage

import "sync"

// Gate lets reads and writes into a store until that is closed. Its zero value is open.
type Gate struct {
	mu      sync.RWMutex
	closed  bool
	running sync.WaitGroup
}

// Enter lets a read or write in, which must Leave, unless the store is closed: then it returns ErrClosed.
func (g *Gate) Enter() error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.closed {
		return ErrClosed
	}
	g.running.Add(1)
	return nil
}

// Closed reports whether nobody is let in any more.
func (g *Gate) Closed() bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.closed
}

// Leave says that what was let in is over.
func (g *Gate) Leave() { g.running.Done() }

// Close lets nobody in any more, and waits for those who are. It returns false at once if somebody else closes the store,
// or has closed it.
func (g *Gate) Close() bool {
	g.mu.Lock()
	closed := g.closed
	g.closed = true
	g.mu.Unlock()
	if closed {
		return false
	}
	g.running.Wait()
	return true
}
