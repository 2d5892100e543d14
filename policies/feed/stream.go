package feed

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/parsescale/parsescale/server/change"
)

var (
	// ErrVersion: the worker speaks another version of the protocol.
	ErrVersion = errors.New("the gateway and the worker are of different versions")
	// ErrSilent: the worker answers no more; it may be stopped, or its machine overloaded.
	ErrSilent = errors.New("the worker doesn't answer on its control stream")
	// ErrNotReady: the worker took too long to start.
	ErrNotReady = errors.New("the worker didn't become ready in time")
	// ErrFailed: the worker said why it can't serve.
	ErrFailed = errors.New("the worker cannot serve")
	// ErrGone: the stream ended before the worker said that it was done.
	ErrGone = errors.New("the worker's control stream ended unexpectedly")
	// ErrProtocol: the worker sent what makes no sense.
	ErrProtocol = errors.New("the worker broke the protocol")
)

// Stream is one worker's control stream. All methods are safe for concurrent use.
type Stream struct {
	hub    *Hub
	worker string
	rw     io.ReadWriteCloser
	w      *change.Writer
	since  time.Time
	ready  chan struct{}
	ended  chan struct{}
	heard  atomic.Bool  // the worker has said something
	silent atomic.Int64 // ticks since it did so last

	// Guarded by hub.mu.
	state    state
	err      error
	pid      int
	position uint64            // number of the last prepare applied
	prepared map[uint64]func() // finish functions of what is applied and not finished, by number
	cause    error             // why this side closed the stream
}

// lastWords bounds how long the end of a dead worker's stream is waited for.
const lastWords = time.Second

type state uint8

const (
	starting state = iota
	serving
	draining
	drained
	inDoubt
	over
)

var stateNames = [...]string{"starting", "ready", "draining", "drained", "in doubt", "ended"}

// Ready is closed once the worker serves. It stays open if it never does; Ended tells.
func (s *Stream) Ready() <-chan struct{} { return s.ready }

// Ended is closed when the stream has ended, for whatever reason.
func (s *Stream) Ended() <-chan struct{} { return s.ended }

// Err says why the stream ended; nil while it hasn't, and after a finished drain.
func (s *Stream) Err() error {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	return s.err
}

// Stop asks the worker to finish what runs and to end.
func (s *Stream) Stop() {
	s.hub.mu.Lock()
	if s.state == starting || s.state == serving {
		s.state = draining
	}
	s.hub.mu.Unlock()
	_ = s.w.Send(&change.Frame{Type: change.TypeStop}) // a stream that can't be written ends by itself
}

// Reaped says that the worker's process is gone and its database connections with it: nothing of what it prepared can
// become visible any more that isn't now. What was in doubt is finished. It waits until what the worker had still sent
// is served; a stream that something else holds open is closed.
func (s *Stream) Reaped() {
	rest := time.NewTimer(lastWords)
	defer rest.Stop()
	select {
	case <-s.ended:
	case <-rest.C:
		s.close(ErrGone)
		<-s.ended
	}
	h := s.hub
	h.mu.Lock()
	finish := s.prepared
	s.prepared = nil
	if s.state == inDoubt {
		h.doubt--
	}
	s.state = over
	delete(h.streams, s)
	h.mu.Unlock()
	for _, f := range finish {
		f()
	}
}

// close ends the stream from this side; cause is what Err reports.
func (s *Stream) close(cause error) {
	s.hub.mu.Lock()
	if s.cause == nil {
		s.cause = cause
	}
	s.hub.mu.Unlock()
	s.w.Close()
	_ = s.rw.Close()
}

// serve runs the stream from the first frame to the last.
func (s *Stream) serve(start change.Start) {
	stop := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		s.watch(stop)
	}()
	err := s.w.Send(&change.Frame{Type: change.TypeStart, Start: start})
	if err == nil {
		_ = s.w.Send(&change.Frame{Type: change.TypePing}) // so that it is heard from the beginning
		err = s.read(change.NewReader(s.rw))
	}
	close(stop)
	s.end(err)
	<-watched
	close(s.ended)
}

// watch pings the worker and closes the stream of one that isn't ready, or says nothing, for too long. It counts
// ticks rather than time, so that a gateway that was itself suspended doesn't take its workers for dead.
func (s *Stream) watch(stop <-chan struct{}) {
	o := s.hub.options
	tick := time.NewTicker(o.PingInterval)
	defer tick.Stop()
	notReady := time.NewTimer(o.ReadyTimeout)
	defer notReady.Stop()
	limit := int64(o.PongTimeout / o.PingInterval)
	for {
		select {
		case <-stop:
			return
		case <-s.w.Done():
			s.awaitLastWords(stop)
			return
		case <-notReady.C:
			select {
			case <-s.ready:
			default:
				s.close(fmt.Errorf("%w (%v)", ErrNotReady, o.ReadyTimeout))
				return
			}
		case <-tick.C:
			// A process answers pings as soon as it runs, long before it is ready. How long it takes to run is the machine's matter.
			if s.heard.Load() && s.silent.Add(1) > limit {
				s.close(fmt.Errorf("%w (%v)", ErrSilent, o.PongTimeout))
				return
			}
			_ = s.w.Send(&change.Frame{Type: change.TypePing}) // Done tells when it fails
		}
	}
}

// awaitLastWords leaves a worker to which nothing can be written the time to be heard to the end: it is gone, and what it said before
// may still be to read.
func (s *Stream) awaitLastWords(stop <-chan struct{}) {
	rest := time.NewTimer(lastWords)
	defer rest.Stop()
	select {
	case <-stop:
	case <-rest.C:
		s.close(ErrGone)
	}
}

// read serves the worker's frames until the stream ends. It returns nil after a finished drain.
func (s *Stream) read(r *change.Reader) error {
	for {
		f, err := r.Next()
		if err != nil {
			if s.hasDrained() {
				return nil
			}
			if errors.Is(err, io.EOF) {
				return ErrGone
			}
			return fmt.Errorf("%w: %w", ErrGone, err)
		}
		// Serving the frame may take a while; that isn't the worker's silence.
		s.heard.Store(true)
		s.silent.Store(-1 << 32)
		err = s.serveFrame(&f)
		s.silent.Store(0)
		if err != nil {
			return err
		}
	}
}

func (s *Stream) hasDrained() bool {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	return s.state == drained
}

func (s *Stream) serveFrame(f *change.Frame) error {
	switch f.Type {
	case change.TypePong:
		return nil
	case change.TypeReady:
		return s.becomeReady(f.Ready)
	case change.TypeFailed:
		return fmt.Errorf("%w: %s", ErrFailed, f.Reason)
	case change.TypePrepare:
		return s.prepare(f)
	case change.TypeDone, change.TypeAbort:
		return s.finish(f)
	case change.TypeDrained:
		s.hub.mu.Lock()
		defer s.hub.mu.Unlock()
		if n := len(s.prepared); n > 0 {
			return fmt.Errorf("%w: it says it is drained while %d writes are open", ErrProtocol, n)
		}
		s.state = drained
		return nil
	}
	return fmt.Errorf("%w: unexpected %s", ErrProtocol, f.Type)
}

func (s *Stream) becomeReady(r change.Ready) error {
	if r.Protocol != change.Protocol {
		return fmt.Errorf("%w: the gateway has protocol %d, the worker %d; install the same version on both sides", ErrVersion, change.Protocol, r.Protocol)
	}
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if s.pid != 0 {
		return fmt.Errorf("%w: ready twice", ErrProtocol)
	}
	s.pid = max(r.PID, 1)
	if s.state == starting {
		s.state = serving
	}
	close(s.ready)
	return nil
}

// prepare applies changes and acknowledges them: only then may the worker commit. A worker may write before it is
// ready, when it sets up its database.
func (s *Stream) prepare(f *change.Frame) error {
	h := s.hub
	h.mu.Lock()
	last, after := s.position, s.state == drained
	h.mu.Unlock()
	switch {
	case after:
		return fmt.Errorf("%w: a write after it was drained", ErrProtocol)
	case f.ID != last+1:
		return fmt.Errorf("%w: prepare %d after %d", ErrProtocol, f.ID, last)
	}
	for i := range f.Changes {
		f.Changes[i].App = h.app // the stream tells whose it is
	}
	finish := h.applier.Prepare(f.Changes)
	id := f.ID // the acknowledgement may outlive the frame, whose images are large
	ack := func() error { return s.w.Send(&change.Frame{Type: change.TypeAck, ID: id}) }
	announcer := h.options.Announcer
	if announcer != nil {
		// The next frame is served before this one may be acknowledged: writes needn't wait for each other.
		here := finish
		there := announcer.Announce(f.Changes, func() { _ = ack() }) // a stream that can't be written ends by itself
		finish = func() { here(); there() }
	}
	h.mu.Lock()
	s.position = f.ID
	s.prepared[f.ID] = finish
	h.totals.prepares++
	h.totals.changes += uint64(len(f.Changes))
	h.mu.Unlock()
	if announcer != nil {
		return nil
	}
	if err := ack(); errors.Is(err, change.ErrBacklog) {
		return err
	}
	return nil // a stream that can't be written ends by itself, once everything was read
}

func (s *Stream) finish(f *change.Frame) error {
	h := s.hub
	h.mu.Lock()
	finish := s.prepared[f.ID]
	delete(s.prepared, f.ID)
	if f.Type == change.TypeAbort {
		h.totals.aborts++
	}
	h.mu.Unlock()
	if finish == nil {
		return fmt.Errorf("%w: %s of prepare %d, which isn't open", ErrProtocol, f.Type, f.ID)
	}
	finish()
	return nil
}

// end records how the stream ended. Without a finished drain, what was prepared may or may not have been committed,
// and only the end of the process settles it.
func (s *Stream) end(err error) {
	s.w.Close()
	_ = s.rw.Close()
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		s.state = over
		delete(h.streams, s)
		return
	}
	if s.cause != nil {
		err = s.cause
	}
	s.err = err
	s.state = inDoubt
	h.doubt++
	h.totals.gaps++
}

// status is called with hub.mu held.
func (s *Stream) status() WorkerStatus {
	w := WorkerStatus{Worker: s.worker, PID: s.pid, State: stateNames[s.state], Position: s.position, Prepared: len(s.prepared), Since: s.since}
	if s.err != nil {
		w.Error = s.err.Error()
	}
	return w
}
