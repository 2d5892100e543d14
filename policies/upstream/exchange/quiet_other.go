//go:build !unix

package exchange

import "net"

// listener says that nothing came: what the server closed meanwhile shows when it is used.
func listener(net.Conn) (quiet func() bool) { return always }
