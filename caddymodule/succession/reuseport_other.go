//go:build !unix || solaris

package succession

import "syscall"

func reusePort(_, _ string, _ syscall.RawConn) error { return nil }
