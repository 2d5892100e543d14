package decoding

import (
	"bytes"
	"net"
	"sync"
	"testing"
)

// proxy passes connections on to a PostgreSQL server.
type proxy struct {
	address string
	// held holds up what the server sends.
	held sync.Mutex
	// renumber: the client is told another process id than the server's, as by a pooler, whose clients have no process of
	// their own.
	renumber bool
}

func startProxy(t *testing.T, server string, renumber bool) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &proxy{address: l.Addr().String(), renumber: renumber}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(client, server)
		}
	}()
	return p
}

func (p *proxy) serve(client net.Conn, server string) {
	defer client.Close()
	up, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer up.Close()
	go func() {
		defer up.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := client.Read(buf)
			if _, failed := up.Write(buf[:n]); failed != nil || err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for change := p.renumber; ; {
		n, err := up.Read(buf)
		if i := bytes.Index(buf[:n], []byte("K\x00\x00\x00\x0c")); change && i >= 0 && i+9 <= n { // BackendKeyData
			buf[i+8]++
			change = false
		}
		p.held.Lock()
		_, failed := client.Write(buf[:n])
		p.held.Unlock()
		if failed != nil || err != nil {
			return
		}
	}
}
