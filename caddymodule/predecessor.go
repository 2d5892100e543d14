package caddymodule

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/parsescale/parsescale/caddymodule/gate"
	"github.com/parsescale/parsescale/caddymodule/succession"
)

// entrance is passed by every request for Parse but WebSockets. It is shut while another process takes the place of this
// one, or this one that of another, so that never two of them answer at the same time: neither would hear of the other's
// writes.
var entrance gate.Gate

// predecessor is the process whose place this one is to take; nil: there is none.
var predecessor = sync.OnceValues(func() (*succession.Predecessor, error) {
	p, err := succession.Inherit(sockets)
	if p != nil {
		err = entrance.Shut(context.Background()) // nobody has come yet
	}
	return p, err
})

// answering is true once this process has taken the place of another.
var answering atomic.Bool

// awaitTurn returns once this process may have what the one before it gives up for it: databases, above all.
func awaitTurn() error {
	p, err := predecessor()
	if err != nil || p == nil || answering.Load() {
		return err
	}
	return p.Await()
}

// whenStarted is told when all of a configuration has started.
type whenStarted struct{}

// Handle implements caddyevents.Handler.
func (whenStarted) Handle(context.Context, caddy.Event) error {
	if p, _ := predecessor(); p != nil && answering.CompareAndSwap(false, true) {
		answerInstead(p)
	}
	return nil
}

// answerInstead takes the place of the process before this one.
func answerInstead(p *succession.Predecessor) {
	sockets.Open()
	entrance.Open()
	passed := passedOn{conns: make(chan net.Conn)}
	server := http.Server{
		Handler: http.HandlerFunc(servePassed), ReadHeaderTimeout: 10 * time.Second,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, aboutKey{}, c.(passedConn).about)
		},
	}
	go func() { _ = server.Serve(passed) }() // it ends with the process
	p.Serve(succession.Handler{
		Connection: desk.Take,
		Request: func(b []byte, c net.Conn) {
			pc := passedConn{Conn: c}
			if json.Unmarshal(b, &pc.about) != nil {
				_ = c.Close()
				return
			}
			passed.conns <- pc
		},
	})
	log := caddy.Log().Named("parse")
	log.Info("this process answers in the place of the one before it", zap.Int("pid", os.Getpid()))
	go func() {
		<-p.Gone()
		log.Info("the process before this one has ended")
		writePIDFile()
	}()
}

// writePIDFile writes the file that --pidfile names: another process has written its own id there, or removed it.
func writePIDFile() {
	for i, arg := range os.Args {
		name, ok := strings.CutPrefix(arg, "--pidfile=")
		if arg == "--pidfile" && i+1 < len(os.Args) {
			name, ok = os.Args[i+1], true
		}
		if ok {
			if err := caddy.PIDFile(name); err != nil {
				caddy.Log().Named("parse").Error("cannot write the PID file", zap.Error(err))
			}
		}
	}
}

// about is what a process that has given up its place says of a request that it passes on.
type about struct {
	Listen []string `json:"listen"` // the addresses of the server that got it
	Remote string   `json:"remote"` // the client's address
	TLS    bool     `json:"tls,omitempty"`
}

type aboutKey struct{}

// passedConn is a connection for a request that is passed on.
type passedConn struct {
	net.Conn
	about about
}

// passedOn is the listener that accepts them.
type passedOn struct{ conns chan net.Conn }

func (p passedOn) Accept() (net.Conn, error) { return <-p.conns, nil }
func (passedOn) Close() error                { return nil }
func (passedOn) Addr() net.Addr              { return &net.UnixAddr{Net: "unix"} }

// servePassed answers a request that was passed on as the server does that would have got it here.
func servePassed(w http.ResponseWriter, r *http.Request) {
	said, _ := r.Context().Value(aboutKey{}).(about)
	r.RemoteAddr = said.Remote
	if said.TLS {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true, ServerName: host}
	}
	if app := activeApp.Load(); app != nil && app.http != nil {
		for _, srv := range app.http.Servers {
			if slices.ContainsFunc(srv.Listen, func(l string) bool { return slices.Contains(said.Listen, l) }) {
				srv.ServeHTTP(w, r)
				return
			}
		}
	}
	x := exchange{w: w, r: r}
	x.refuse(noWorker, "fwd=bypass; detail=upgrade")
}

var _ http.Handler = (*caddyhttp.Server)(nil)
