//go:build unix

package supervisor

import (
	"context"
	"time"
)

// recyclePause is the pause after a successor that didn't start.
const recyclePause = time.Minute

// SetLimits replaces the limits of the workers.
func (s *Supervisor) SetLimits(l Limits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.Limits = l
}

// Recycled tells how many workers were replaced because of the limits.
func (s *Supervisor) Recycled() Recycled {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.recycled
}

// recycle replaces workers that are due, one after the other, until the supervisor is stopped.
func (s *Supervisor) recycle() {
	ticker := time.NewTicker(s.options.recycleInterval)
	defer ticker.Stop()
	for {
		select {
		case <-s.stopping:
			return
		case <-ticker.C:
		}
		if pause := s.recycleOne(); pause > 0 {
			timer := time.NewTimer(pause)
			select {
			case <-s.stopping:
				timer.Stop()
				return
			case <-timer.C:
			}
		}
	}
}

// recycleOne replaces a worker that is due, if there is one and no other comes or goes. It returns how long to wait before
// the next is tried.
func (s *Supervisor) recycleOne() time.Duration {
	s.mu.Lock()
	limited := s.options.Limits != (Limits{})
	s.mu.Unlock()
	if !limited {
		return 0
	}
	s.change.Lock() // then nobody else changes their number, and this one's place is filled before it goes
	defer s.change.Unlock()
	old, why, memory, requests := s.dueWorker()
	if old == nil {
		return 0
	}
	old.log().Info("worker is due; a successor is started", "because_of", why, "memory", memory, "requests", requests)
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return 0
	}
	if s.wanted > 0 {
		s.mu.Unlock()
		return 0
	}
	successor := s.grow(1)[0]
	ctx, cancel := context.WithTimeout(s.hurry, s.options.StartTimeout)
	defer cancel()
	s.giveWay = cancel
	s.mu.Unlock()
	err := s.waitReady(ctx, 1, func(w *slot) bool { return w == successor })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.giveWay = nil
	if err != nil {
		successor.drain()
		if s.stopped || s.wanted > 0 { // then it is tried again, when that is done
			return 0
		}
		old.log().Warn("the successor of a worker did not start; the worker stays", "error", err)
		return recyclePause
	}
	if why == "memory" {
		s.recycled.Memory++
	} else {
		s.recycled.Requests++
	}
	old.drain()
	return 0
}

// dueWorker finds a worker to replace, the one that is due for longest first; nil: none is, or another one goes, or starts for the
// first time.
func (s *Supervisor) dueWorker() (due *slot, why string, memory int64, requests uint64) {
	had := map[string]uint64{}
	for _, w := range s.pool.Status() {
		had[w.Name] = w.Requests
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.options.Limits == (Limits{}) {
		return nil, "", 0, 0
	}
	for _, w := range s.slots {
		if w.stopping || !w.everReady {
			return nil, "", 0, 0
		}
		if w.status.State != Ready { // it is started again, which keeps nobody else from being replaced
			continue
		}
		if due != nil || time.Since(w.status.Since) < s.options.youth {
			continue
		}
		memory, requests = 0, had[w.name()]
		if w.process != nil {
			memory = residentMemory(w.process.pid)
		}
		if why = s.options.Limits.due(memory, requests, w.luck); why != "" {
			due = w
		}
	}
	if due == nil {
		return nil, "", 0, 0
	}
	return due, why, memory, requests
}
