//go:build !linux

package succession

import "net"

func bind(listen func() (net.Listener, error)) (net.Listener, error) { return listen() }
