package testservices

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy passes TCP connections on to a server, and can make them slow.
type Proxy struct {
	// Address is its host and port.
	Address string

	listener net.Listener
	server   atomic.Pointer[string] // its host and port
	delay    atomic.Int64

	mu    sync.Mutex
	ended bool
	open  map[net.Conn]bool
}

// StartProxy starts a proxy to a server's host and port that ends with the test.
func StartProxy(tb testing.TB, to string) *Proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("cannot start a proxy: %v", err)
	}
	p := &Proxy{Address: l.Addr().String(), listener: l, open: map[net.Conn]bool{}}
	p.To(to)
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return // it has ended
			}
			server, err := net.Dial("tcp", *p.server.Load())
			if err != nil {
				client.Close()
				continue
			}
			if !p.keep(client, server) {
				return
			}
			go p.pass(server, client)
			go p.pass(client, server)
		}
	}()
	tb.Cleanup(p.end)
	return p
}

// To has connections that are opened from now on lead to another server.
func (p *Proxy) To(server string) { p.server.Store(&server) }

// Delay holds back for so long what comes from now on, in either direction.
func (p *Proxy) Delay(d time.Duration) { p.delay.Store(int64(d)) }

// keep notes connections to be closed at the end; false: it has ended, and they are closed.
func (p *Proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.ended {
			c.Close()
		}
		p.open[c] = true
	}
	return !p.ended
}

func (p *Proxy) pass(from, to net.Conn) {
	defer func() {
		from.Close()
		to.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, from)
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			time.Sleep(time.Duration(p.delay.Load()))
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *Proxy) end() {
	p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	for c := range p.open {
		c.Close()
	}
}
