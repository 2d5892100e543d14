package e2e

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// journal keeps the last events of all clients, for a failure to be understood.
type journal struct {
	mu     sync.Mutex
	start  time.Time
	events [512]string
	count  int
	// failures are the violations that were found.
	failures []string
}

func (j *journal) add(format string, args ...any) {
	line := fmt.Sprintf("%9.3f ms  ", float64(time.Since(j.start).Microseconds())/1000) + fmt.Sprintf(format, args...)
	j.mu.Lock()
	j.events[j.count%len(j.events)] = line
	j.count++
	j.mu.Unlock()
}

// fail keeps the first few violations, each with the events before it that name about.
func (j *journal) fail(about, format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.failures) >= 3 {
		return
	}
	text := fmt.Sprintf(format, args...) + "\nwhat happened before, newest first:"
	for i, lines := j.count-1, 0; i >= max(0, j.count-len(j.events)) && lines < 25; i-- {
		if e := j.events[i%len(j.events)]; strings.Contains(e, about) {
			text += "\n" + e
			lines++
		}
	}
	j.failures = append(j.failures, text)
}

func (j *journal) failed() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.failures) > 0
}
