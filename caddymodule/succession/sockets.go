package succession

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// Sockets are the listening TCP sockets of this process, one for each address. All listeners of an address, also those of
// a later configuration, accept from its one socket; so no connection is lost when one of them is closed.
type Sockets struct {
	mu        sync.Mutex
	byAddress map[string]*socket
	inherited map[string]*net.TCPListener // not asked for yet
	shut      chan struct{}               // closed when accepting goes on; nil while it does
}

// socket is what the listeners of an address share.
type socket struct {
	*net.TCPListener // accepts nothing itself
	listeners        map[*listener]struct{}
}

// NewSockets returns no sockets, from which listeners accept.
func NewSockets() *Sockets {
	return &Sockets{byAddress: map[string]*socket{}, inherited: map[string]*net.TCPListener{}}
}

// Listen returns a listener of an address: host:port, or :port for all addresses of the machine. The network is tcp, tcp4 or
// tcp6.
func (s *Sockets) Listen(ctx context.Context, network, address string, config net.ListenConfig) (net.Listener, error) {
	key := keyOf(network, address)
	s.mu.Lock()
	defer s.mu.Unlock()
	shared := s.byAddress[key]
	if shared == nil {
		below := s.inherited[key]
		if below == nil {
			config.Control = reusePort
			l, err := bind(func() (net.Listener, error) { return config.Listen(ctx, network, address) })
			if err != nil {
				return nil, err
			}
			below = l.(*net.TCPListener)
		}
		delete(s.inherited, key)
		shared = &socket{below, map[*listener]struct{}{}}
	}
	own, err := duplicate(shared.TCPListener)
	if err != nil {
		if len(shared.listeners) == 0 {
			_ = shared.Close()
		}
		return nil, fmt.Errorf("cannot share the socket of %s: %w", address, err)
	}
	l := &listener{TCPListener: own, sockets: s, key: key, keepAlive: config.KeepAliveConfig, closed: make(chan struct{})}
	if s.shut != nil {
		_ = l.SetDeadline(past)
	}
	s.byAddress[key] = shared
	shared.listeners[l] = struct{}{}
	return l, nil
}

// keyOf is what an address of TCP has in common in all versions of this program that take each other's place.
func keyOf(network, address string) string {
	if network == "tcp" {
		return address
	}
	return network + "/" + address
}

// Listeners returns how many listeners an address has.
func (s *Sockets) Listeners(network, address string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if shared := s.byAddress[keyOf(network, address)]; shared != nil {
		return len(shared.listeners)
	}
	return 0
}

// duplicate returns a listener with a descriptor of its own for the same socket.
func duplicate(l *net.TCPListener) (*net.TCPListener, error) {
	f, err := l.File()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	return d.(*net.TCPListener), nil
}

// inherit adds a socket that another process has opened.
func (s *Sockets) inherit(address string, l *net.TCPListener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inherited[address] = l
}

// past is a deadline that wakes whoever waits for a connection.
var past = time.Unix(1, 0)

// Shut stops accepting. Connections wait in the sockets' queues, and aren't refused. At most one for each listener may
// just have been accepted.
func (s *Sockets) Shut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut != nil {
		return
	}
	s.shut = make(chan struct{})
	s.setDeadlines(past)
}

// Open goes on accepting. Inherited sockets that nobody has asked for are closed.
func (s *Sockets) Open() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for address, l := range s.inherited {
		_ = l.Close()
		delete(s.inherited, address)
	}
	if s.shut == nil {
		return
	}
	s.setDeadlines(time.Time{})
	close(s.shut)
	s.shut = nil
}

// setDeadlines sets those of all listeners; mu is held.
func (s *Sockets) setDeadlines(t time.Time) {
	for _, shared := range s.byAddress {
		for l := range shared.listeners {
			_ = l.SetDeadline(t) // one that is closed accepts nothing anyway
		}
	}
}

// all returns the sockets by address, duplicated.
func (s *Sockets) all() (map[string]*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	files := map[string]*os.File{}
	for address, shared := range s.byAddress {
		f, err := shared.File()
		if err != nil {
			for _, f := range files {
				_ = f.Close()
			}
			return nil, fmt.Errorf("cannot duplicate the socket of %s: %w", address, err)
		}
		files[address] = f
	}
	return files, nil
}

// listener is one of those that share a socket.
type listener struct {
	*net.TCPListener
	sockets   *Sockets
	key       string
	keepAlive net.KeepAliveConfig

	once     sync.Once
	closed   chan struct{}
	closeErr error
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		if !l.mayAccept() {
			return nil, net.ErrClosed
		}
		c, err := l.AcceptTCP()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue // woken by Shut
		}
		if err != nil {
			return nil, err
		}
		_ = c.SetKeepAliveConfig(l.keepAlive) // if it is gone already, reading tells
		return c, nil
	}
}

// mayAccept waits while the sockets are shut. It returns false once the listener is closed.
func (l *listener) mayAccept() bool {
	l.sockets.mu.Lock()
	shut := l.sockets.shut
	l.sockets.mu.Unlock()
	if shut == nil {
		return true
	}
	select {
	case <-shut:
		return true
	case <-l.closed:
		return false
	}
}

// Close closes the listener, and the socket if no other listener has it.
func (l *listener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.closeErr = l.TCPListener.Close()
		s := l.sockets
		s.mu.Lock()
		defer s.mu.Unlock()
		shared := s.byAddress[l.key]
		delete(shared.listeners, l)
		if len(shared.listeners) == 0 {
			delete(s.byAddress, l.key)
			_ = shared.Close()
		}
	})
	return l.closeErr
}
