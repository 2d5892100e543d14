package succession

import (
	"cmp"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"sync"
)

// ErrUnavailable: this system can't pass sockets from process to process.
var ErrUnavailable = errors.New("one process can't take the place of another on this system")

// Options say how to start the process that is to take this one's place.
type Options struct {
	// Command is the program and its arguments.
	Command []string
	// Sockets are those that it gets.
	Sockets *Sockets
}

// Handler takes what comes to a process that has taken the place of another. Its functions are called one after the other,
// and mustn't take long.
type Handler struct {
	// Connection takes an idle connection to an address, with what was read from it and not used yet.
	Connection func(address string, c net.Conn, unread []byte)
	// Request takes a connection that the old process has made for one request; about is what that says of it.
	Request func(about []byte, c net.Conn)
}

// words keeps the end of what a process prints, to tell why it ended.
type words struct {
	mu   sync.Mutex
	tail []byte
}

const maxTail = 16 << 10

func (w *words) add(p []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tail = append(w.tail, p...)
	if over := len(w.tail) - maxTail; over > 0 {
		w.tail = append(w.tail[:0], w.tail[over:]...)
	}
}

// last is the line that says why: the last one that is told as an error, or else the last one.
func (w *words) last() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, told := "", ""
	for line := range strings.Lines(string(w.tail)) {
		if line = strings.TrimSpace(line); line != "" {
			last = line
		}
		if rest, ok := strings.CutPrefix(line, "Error: "); ok {
			told = rest
		}
		var entry struct{ Level, Msg, Error string } // of a log in JSON
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Level == "error" {
			told = strings.TrimSuffix(entry.Msg+": "+entry.Error, ": ")
		}
	}
	return cmp.Or(told, last)
}
