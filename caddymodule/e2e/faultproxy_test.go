package e2e

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"
)

// mood is how a faultyProxy treats requests.
type mood func(p *faultyProxy, w http.ResponseWriter, r *http.Request)

// faultyProxy stands between the gateway and a real worker, and makes that worker fail in ways that it has no switch for.
type faultyProxy struct {
	t       *testing.T
	address string
	worker  *httputil.ReverseProxy
	mood    atomic.Pointer[mood]
	next    mood // once the fault begins
	count   atomic.Int64
	server  *http.Server
}

// startFaultyProxy passes everything on to the worker at the address until it is told otherwise.
func startFaultyProxy(t *testing.T, worker string) *faultyProxy {
	t.Helper()
	p := &faultyProxy{
		t: t, address: "127.0.0.1:0",
		worker: httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: worker}),
	}
	p.worker.Transport = &http.Transport{MaxIdleConnsPerHost: 256}
	p.is(healthy)
	p.listen()
	t.Cleanup(p.refuse)
	return p
}

// listen accepts connections, at the same address as before.
func (p *faultyProxy) listen() {
	p.t.Helper()
	l, err := net.Listen("tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.address = l.Addr().String()
	p.server = &http.Server{Handler: p}
	go p.server.Serve(l)
}

// refuse closes all connections and accepts no more, as a process that died.
func (p *faultyProxy) refuse() { p.server.Close() }

func (p *faultyProxy) is(m mood) { p.mood.Store(&m) }

func (p *faultyProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) { (*p.mood.Load())(p, w, r) }

func healthy(p *faultyProxy, w http.ResponseWriter, r *http.Request) { p.worker.ServeHTTP(w, r) }

// slow answers 200 ms late.
func slow(p *faultyProxy, w http.ResponseWriter, r *http.Request) {
	time.Sleep(200 * time.Millisecond)
	p.worker.ServeHTTP(w, r)
}

// failing answers what a process does whose disk is full.
func failing(_ *faultyProxy, w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "Error: ENOSPC: no space left on device", http.StatusInternalServerError)
}

// halfFailing is failing for every other request.
func halfFailing(p *faultyProxy, w http.ResponseWriter, r *http.Request) {
	if p.count.Add(1)%2 == 0 {
		failing(p, w, r)
		return
	}
	p.worker.ServeHTTP(w, r)
}
