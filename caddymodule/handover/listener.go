package handover

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
)

// Desk knows the listeners of every address, in the order in which they came. It is what the servers of an old and of a
// new configuration share.
type Desk struct {
	mu        sync.Mutex
	byAddress map[string][]*listener
	heir      Heir
	turn      int
}

// Heir takes a connection of an address, with what was read of it and not used, for another process. It returns false if it
// can't.
type Heir func(address string, c net.Conn, unread []byte) bool

// NewDesk returns a desk without listeners.
func NewDesk() *Desk { return &Desk{byAddress: map[string][]*listener{}} }

// Listen wraps the listener of a server; one that is of this desk already is returned as it is. The server has to tell its
// connections' states to a Staying, else only those are handed over that it hasn't accepted.
//
// Listeners of an address, old and new, have to share one socket: what waits in the queue of one's own is reset by the kernel
// when it is closed.
func (d *Desk) Listen(inner net.Listener) net.Listener {
	if l, ok := inner.(*listener); ok && l.desk == d {
		return l
	}
	a := inner.Addr()
	l := &listener{
		Listener: inner, desk: d,
		// The type is part of it: what one wrapper has let through must not get behind another.
		address: fmt.Sprintf("%s/%s/%T", a.Network(), a, inner),
		retired: make(chan struct{}), parked: make(chan struct{}), closed: make(chan struct{}),
		wake: make(chan struct{}, 1), accepted: make(chan accepted),
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	l.turn = d.turn
	d.byAddress[l.address] = append(d.byAddress[l.address], l)
	return l
}

// NextTurn says that listeners from now on are of another configuration than those before. One may have several of an address.
func (d *Desk) NextTurn() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.turn++
}

// newest returns the listener of an address that came last, nil if none is open.
func (d *Desk) newest(address string) *listener {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.byAddress[address]
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1]
}

// SetHeir says who gets the connections for which there is no newer server in this process. Default: they are closed.
func (d *Desk) SetHeir(heir Heir) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.heir = heir
}

func (d *Desk) getHeir() Heir {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.heir
}

// Take gives a connection that comes from another process to the newest server of its address; without one it is closed.
func (d *Desk) Take(address string, c net.Conn, unread []byte) {
	for next := d.newest(address); next != nil; next = d.newest(address) {
		if next.give(c, unread) {
			return
		}
	}
	_ = c.Close()
}

// Retire has only the servers of the newest turn of each address accept connections from now on. It returns once the others have told the state
// of each connection that they accepted, or when ctx ends. What they have accepted they go on to serve.
func (d *Desk) Retire(ctx context.Context) {
	var old []*listener
	d.mu.Lock()
	for _, all := range d.byAddress {
		for _, l := range all {
			if l.turn < all[len(all)-1].turn {
				old = append(old, l)
			}
		}
	}
	d.mu.Unlock()
	for _, l := range old {
		l.retire()
	}
	for _, l := range old {
		select {
		case <-l.parked:
		case <-l.closed:
		case <-ctx.Done():
		}
	}
}

func (d *Desk) remove(l *listener) {
	d.mu.Lock()
	defer d.mu.Unlock()
	rest := d.byAddress[l.address][:0:0]
	for _, other := range d.byAddress[l.address] {
		if other != l {
			rest = append(rest, other)
		}
	}
	if len(rest) == 0 {
		delete(d.byAddress, l.address)
		return
	}
	d.byAddress[l.address] = rest
}

// listener accepts new connections and those that an older server gives away.
type listener struct {
	net.Listener
	desk    *Desk
	address string
	turn    int // of the configuration that it belongs to

	start    sync.Once
	accepted chan accepted
	wake     chan struct{} // something was given

	retired chan struct{} // closed when it accepts no more
	parked  chan struct{} // closed when its server asks for a connection after that; it waits until the listener is closed
	park    sync.Once
	closed  chan struct{}

	mu        sync.Mutex
	given     []net.Conn
	isRetired bool
	isClosed  bool
	closeErr  error
}

// accepted is what the listener below said.
type accepted struct {
	net.Conn
	err error
}

func (l *listener) Accept() (net.Conn, error) {
	l.start.Do(func() { go l.acceptBelow() })
	for {
		if c := l.nextGiven(); c != nil {
			return c, nil
		}
		select {
		case a := <-l.accepted:
			if a.err != nil {
				return nil, a.err
			}
			return l.wrap(a.Conn, nil), nil
		case <-l.wake:
		case <-l.retired:
			l.park.Do(func() { close(l.parked) })
			<-l.closed
			return nil, net.ErrClosed
		}
	}
}

func (l *listener) acceptBelow() {
	for {
		c, err := l.Listener.Accept()
		select {
		case <-l.retired:
		default:
			select {
			case l.accepted <- accepted{c, err}:
				continue
			case <-l.retired:
			}
		}
		if c != nil {
			l.pass(c, nil)
		}
		return
	}
}

// wrap leaves a TLS connection as it is: net/http and Caddy look for its type.
func (l *listener) wrap(below net.Conn, replay []byte) net.Conn {
	if _, isTLS := below.(interface{ ConnectionState() tls.ConnectionState }); isTLS {
		return below
	}
	return &conn{Conn: below, listener: l, state: stateUnknown, replay: replay}
}

// nextGiven returns a connection that an older server gave, nil if there is none.
func (l *listener) nextGiven() net.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.given) == 0 {
		return nil
	}
	c := l.given[0]
	l.given[0] = nil
	l.given = l.given[1:]
	return c
}

// give adds a connection to those that Accept returns. It fails once the listener accepts no more.
func (l *listener) give(below net.Conn, unread []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isRetired {
		return false
	}
	l.given = append(l.given, l.wrap(below, unread))
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return true
}

// pass gives a connection to the newest server of the address, or to the heir; without either it is closed.
func (l *listener) pass(below net.Conn, unread []byte) {
	for {
		next := l.desk.newest(l.address)
		if next == nil || next == l {
			if heir := l.desk.getHeir(); heir == nil || !heir(l.address, below, unread) {
				_ = below.Close()
			}
			return
		}
		if next.give(below, unread) {
			return
		}
	}
}

func (l *listener) hasSuccessor() bool {
	next := l.desk.newest(l.address)
	return next != nil && next != l || l.desk.getHeir() != nil
}

// retire stops accepting; what waits goes to the newest server of the address.
func (l *listener) retire() {
	l.mu.Lock()
	if l.isRetired {
		l.mu.Unlock()
		return
	}
	l.isRetired = true
	left := l.given
	l.given = nil
	l.mu.Unlock()
	l.desk.remove(l)
	close(l.retired)
	err := l.Listener.Close()
	l.mu.Lock()
	l.closeErr = err
	l.mu.Unlock()
	for _, c := range left {
		if own, ok := c.(*conn); ok {
			l.pass(own.Conn, own.replay)
			continue
		}
		l.pass(c, nil)
	}
}

// Close stops accepting, and lets the server go that waits for a connection.
func (l *listener) Close() error {
	l.retire()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.isClosed {
		l.isClosed = true
		close(l.closed)
	}
	return l.closeErr
}
