// Package startpages gives back the memory that only the start of a process needed: a binary with all of Caddy in it
// touches several times as much of itself while its packages are initialised as it does afterwards, and the kernel keeps
// that mapped as long as nobody says otherwise.
//
// It must not know what the process does.
package startpages

import "time"

// wait is until the process does what it will go on doing.
const wait = time.Second

// ReleaseSoon has the pages released a second after the process is ready, so that its first answers needn't wait; stop takes that
// back. failed, if not nil, is told why nothing was released.
func ReleaseSoon(failed func(error)) (stop func() bool) {
	return time.AfterFunc(wait, func() {
		if err := Release(); err != nil && failed != nil {
			failed(err)
		}
	}).Stop
}
