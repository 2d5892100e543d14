package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
)

// Kind says whose a worker is; it decides what may be repeated and what is believed.
type Kind uint8

const (
	// Remote is a Node parse-server or a Go worker somewhere else. A write to it is not repeated once it may have
	// been sent.
	Remote Kind = iota
	// Bundled is a child process of this gateway. It keeps the id and the answer of each write, so a write may be
	// repeated.
	Bundled
)

func (k Kind) String() string {
	if k == Bundled {
		return "bundled"
	}
	return "remote"
}

// Target describes a worker to add to a pool.
type Target struct {
	// Name identifies the worker in the pool, in logs and in the status. Default: its address.
	Name string
	// Address is host:port, an http or https URL, or unix//path; see ParseAddress.
	Address string
	// Kind is Remote (default) or Bundled.
	Kind Kind
	// Share is the worker's share of the requests against the shares of the others; default 1. Workers with the same one
	// are chosen among by load. A negative share: it gets no requests.
	Share int
	// TLS is used for https addresses; nil means the system's roots. With a client certificate in it, it proves
	// this gateway to the worker.
	TLS *tls.Config
	// Trusted: X-Parsescale-* headers of a remote worker's answers are believed, because TLS proves who it is.
	// Those of a bundled worker are always believed.
	Trusted bool
	// Dial replaces the dialling of Address, nil in normal use.
	Dial func(ctx context.Context) (net.Conn, error)
}

// check fills in defaults and returns the parsed address.
func (t *Target) check() (Address, error) {
	a, err := ParseAddress(t.Address)
	if err != nil {
		return Address{}, err
	}
	if t.Kind == Bundled && a.Network != "unix" {
		return Address{}, errors.New("cannot add a bundled worker: it must listen on a unix socket, where nobody else can reach it")
	}
	if t.Trusted && t.Kind == Remote && a.Scheme != "https" {
		return Address{}, fmt.Errorf("cannot trust the worker %s: only https proves who answers", t.Address)
	}
	if t.Name == "" {
		t.Name = t.Address
	}
	return a, nil
}

func (t *Target) share() int {
	if t.Share == 0 {
		return 1
	}
	return max(t.Share, 0)
}

// same tells whether a worker for t can go on serving for u, its connections and statistics kept.
func (t *Target) same(u *Target) bool {
	return t.Name == u.Name && t.Address == u.Address && t.Kind == u.Kind && t.Trusted == u.Trusted &&
		t.TLS == u.TLS && t.Dial == nil && u.Dial == nil
}
