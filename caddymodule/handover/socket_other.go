//go:build !linux

package handover

import (
	"net"
	"time"
)

type socket interface{ SetDeadline(t time.Time) error }

func socketOf(net.Listener) socket { return nil }

func waiting(socket) []net.Conn { return nil }
