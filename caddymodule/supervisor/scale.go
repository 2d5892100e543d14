//go:build unix

package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Scale sets the number of workers. New ones are started; of those that are too many the youngest are drained. It
// doesn't wait for either, but for a Replace that is under way. If it changes the number,
// a worker's successor that isn't ready yet is given up for it.
func (s *Supervisor) Scale(n int) error {
	if n < 0 {
		return fmt.Errorf("cannot scale to %d workers", n)
	}
	s.mu.Lock()
	same := s.giveWay != nil && !s.stopped && len(s.staying())-1 == n // the successor comes in another's place
	s.mu.Unlock()
	if same {
		return nil
	}
	s.takeChange()
	defer s.change.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.state == nil {
		return ErrStopped
	}
	staying := s.staying()
	for len(staying) > n {
		last := len(staying) - 1
		staying[last].drain()
		staying = staying[:last]
	}
	s.grow(n - len(staying))
	return nil
}

// Replace starts as many workers with other options as there are, and drains the old ones once all of the new ones are
// ready. It doesn't wait for the end of the draining, but once it has returned no request is sent to an old one: what is
// cached from then on is by the new options. If the new ones aren't ready by the end of ctx, or say that they can't start
// (ErrFailed), the old ones stay.
func (s *Supervisor) Replace(ctx context.Context, serverOptions json.RawMessage) error {
	s.takeChange()
	defer s.change.Unlock()
	s.mu.Lock()
	if s.stopped || s.state == nil {
		s.mu.Unlock()
		return ErrStopped
	}
	before, leaving := s.server, s.staying()
	s.server = serverOptions
	coming := s.grow(len(leaving))
	s.mu.Unlock()

	err := s.waitReady(ctx, len(coming), func(w *slot) bool { return slices.Contains(coming, w) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.server, leaving = before, coming
	}
	for _, w := range leaving {
		w.drain()
	}
	return err
}

// takeChange takes change. A successor that is being started gives way: it may take as long as StartTimeout, and can be started again.
func (s *Supervisor) takeChange() {
	s.mu.Lock()
	s.wanted++
	if s.giveWay != nil {
		s.giveWay()
	}
	s.mu.Unlock()
	s.change.Lock()
	s.mu.Lock()
	s.wanted--
	s.mu.Unlock()
}

// staying are the slots that aren't being given up. mu is held.
func (s *Supervisor) staying() (slots []*slot) {
	for _, w := range s.slots {
		if !w.stopping {
			slots = append(slots, w)
		}
	}
	return slots
}

// grow adds n slots with the lowest names that are free, and returns them. mu is held.
func (s *Supervisor) grow(n int) (added []*slot) {
	for number := 1; n > 0; number++ {
		name := fmt.Sprintf("worker-%d", number)
		free := true
		for _, w := range s.slots {
			free = free && w.status.Name != name
		}
		if !free {
			continue
		}
		w := &slot{s: s, number: number, server: s.server, luck: rand.Float64(), stop: make(chan struct{})}
		w.status = WorkerStatus{Name: name, State: Starting, Since: time.Now()}
		s.slots = append(s.slots, w)
		added = append(added, w)
		s.running.Go(w.run)
		n--
	}
	return added
}

// WaitReady returns nil as soon as n workers are ready at once. It returns ErrFailed with what they said when all of
// them have failed to start, though they will be started again: mostly it is a mistake in the configuration.
func (s *Supervisor) WaitReady(ctx context.Context, n int) error {
	return s.waitReady(ctx, n, func(*slot) bool { return true })
}

// waitReady is WaitReady for the slots that count.
func (s *Supervisor) waitReady(ctx context.Context, n int, counts func(*slot) bool) error {
	for {
		s.mu.Lock()
		all, ready, failed, reason := 0, 0, 0, ""
		for _, w := range s.slots {
			if !counts(w) {
				continue
			}
			all++
			if w.status.State == Ready {
				ready++
			}
			if w.failed && !w.everReady {
				failed++
				reason = w.status.LastError
			}
		}
		stopped, news := s.stopped, s.news
		s.mu.Unlock()
		switch {
		case ready >= n:
			return nil
		case stopped:
			return ErrStopped
		case all > 0 && failed == all:
			return fmt.Errorf("%w: %s", ErrFailed, reason)
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("cannot wait for the workers: %w (%d of %d ready; last error: %q)", ctx.Err(), ready, n, reason)
		}
	}
}
