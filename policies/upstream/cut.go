package upstream

import (
	"sync"
	"time"
)

// cut ends an attempt from outside: after a time, however much moves on its connection, or when somebody says so. It is made
// once at most, and never after close. A nil cut is never made.
type cut struct {
	mu     sync.Mutex
	end    func()
	may    func() bool // nil: it may
	again  time.Duration
	timer  *time.Timer
	made   bool
	closed bool
}

// arm says what ends the attempt. A cut that was made before then is made at once.
func (k *cut) arm(end func()) {
	if k == nil {
		return
	}
	k.mu.Lock()
	k.end = end
	made := k.made
	k.mu.Unlock()
	if made {
		end()
	}
}

// after arms it and makes it after a time, if may allows it then; if not, may is asked again after that time once more, or a
// tick if that is longer. may runs before close returns, or not at all.
func (k *cut) after(d time.Duration, may func() bool, end func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.end, k.may, k.again = end, may, max(d, tick)
	k.timer = time.AfterFunc(d, k.due)
}

func (k *cut) due() {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.closed:
	case k.may != nil && !k.may():
		k.timer.Reset(k.again)
	default:
		k.made = true
		k.end()
	}
}

// make makes it now.
func (k *cut) make() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return
	}
	k.made = true
	if k.end != nil {
		k.end()
	}
}

// close keeps it from being made from now on, and tells whether it was.
func (k *cut) close() bool {
	if k == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	if k.timer != nil {
		k.timer.Stop()
	}
	return k.made
}

func (k *cut) wasMade() bool {
	if k == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.made
}
