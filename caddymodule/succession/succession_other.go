//go:build !unix

package succession

import "net"

// Successor is the process that is to take this one's place.
type Successor struct{}

// Start fails.
func Start(Options) (*Successor, error) { return nil, ErrUnavailable }

// Prepared, Serving and Ended never come.
func (*Successor) Prepared() <-chan struct{} { return nil }
func (*Successor) Serving() <-chan struct{}  { return nil }
func (*Successor) Ended() <-chan struct{}    { return nil }

func (*Successor) PID() int                           { return 0 }
func (*Successor) Go() error                          { return ErrUnavailable }
func (*Successor) Kill()                              {}
func (*Successor) Reason() string                     { return "" }
func (*Successor) Give(string, net.Conn, []byte) bool { return false }
func (*Successor) Connect([]byte) (net.Conn, error)   { return nil, ErrUnavailable }

// Predecessor is the process whose place this one is to take.
type Predecessor struct{}

// Inherit returns nil: there is none.
func Inherit(*Sockets) (*Predecessor, error) { return nil, nil }

func (*Predecessor) Await() error          { return ErrUnavailable }
func (*Predecessor) Serve(Handler)         {}
func (*Predecessor) Gone() <-chan struct{} { return nil }
