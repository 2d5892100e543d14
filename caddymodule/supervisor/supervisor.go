//go:build unix

package supervisor

import (
	"context"
	"encoding/json"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parsescale/parsescale/policies/upstream"
	"github.com/parsescale/parsescale/server/change"
)

// stream is the gateway's end of a worker's control stream; *feed.Stream is one.
type stream interface {
	Ready() <-chan struct{} // closed when the worker serves
	Ended() <-chan struct{} // closed when the stream is over; then Err says why, nil after a drain
	Err() error
	Stop()   // asks the worker to finish what it does and to end
	Reaped() // tells that the process is gone
}

// Supervisor keeps a number of workers running.
type Supervisor struct {
	options Options
	attach  func(worker string, rw io.ReadWriteCloser, start change.Start) stream
	pool    *upstream.Pool

	running sync.WaitGroup // slots
	lives   atomic.Uint64  // processes started so far
	change  sync.Mutex     // held for all of a Scale or Replace, or a worker's replacement; taken before mu

	mu       sync.Mutex
	server   json.RawMessage // options of workers to come
	state    *stateDir       // nil unless started
	sockets  string
	slots    []*slot
	stopped  bool
	wanted   int                // how many wait for change to scale or replace
	giveWay  context.CancelFunc // has a worker's successor leave change to them; nil: none is being started
	stopping chan struct{}      // closed when stopped
	recycled Recycled
	hurry    context.Context // ends when draining has to
	rush     context.CancelFunc
	news     chan struct{} // closed and replaced when a slot's state changes
}

// New checks the options. Nothing is started, and nothing on disk is touched, before Start.
func New(o Options) (*Supervisor, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Supervisor{options: o, pool: o.Pool, server: o.ServerOptions, news: make(chan struct{}), stopping: make(chan struct{})}
	s.hurry, s.rush = context.WithCancel(context.Background())
	s.attach = func(worker string, rw io.ReadWriteCloser, start change.Start) stream {
		return o.Hub.Attach(worker, rw, start)
	}
	return s, nil
}

// leftoverWait is how long the end of an earlier gateway's worker is waited for after SIGKILL.
const leftoverWait = 10 * time.Second

// Start takes the state directory (ErrOwned if another gateway has it), ends what a killed gateway left there, and
// begins to start the workers. It doesn't wait for them: see WaitReady.
func (s *Supervisor) Start(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return ErrStopped
	}
	if s.state != nil {
		return nil
	}
	state, err := openStateDir(s.options.StateDir)
	if err != nil {
		return err
	}
	if err := reapLeftovers(state.read(), leftoverWait, s.options.Logger); err != nil {
		state.lock.Close() // the record stays for the next try
		return err
	}
	dir, err := makeSocketDir(s.options.SocketDir)
	if err != nil {
		state.close()
		return err
	}
	s.state, s.sockets = state, dir
	if err := state.write(s.record()); err != nil {
		_ = removeSocketDir(dir)
		state.close()
		s.state = nil
		return err
	}
	s.grow(s.options.Count)
	s.running.Go(s.recycle)
	return nil
}

// Stop drains all workers at once and returns when every process is gone. When ctx ends, the rest is killed without
// further waiting. The state directory is free afterwards.
func (s *Supervisor) Stop(ctx context.Context) error {
	s.mu.Lock()
	if !s.stopped {
		s.stopped = true
		close(s.stopping)
	}
	for _, w := range s.slots {
		w.drain()
	}
	s.mu.Unlock()
	unhook := context.AfterFunc(ctx, s.rush)
	s.running.Wait()
	unhook()
	s.rush()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == nil {
		return nil
	}
	err := removeSocketDir(s.sockets)
	s.state.close()
	s.state = nil
	return err
}

// Status tells of every worker, oldest first.
func (s *Supervisor) Status() []WorkerStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]WorkerStatus, len(s.slots))
	for i, w := range s.slots {
		if all[i] = w.status; w.process != nil {
			all[i].Memory = residentMemory(w.process.pid)
		}
	}
	return all
}

// record is what the state file should say now. mu is held.
func (s *Supervisor) record() record {
	r := record{Boot: bootID(), SocketDir: s.sockets, Children: []childMark{}}
	for _, w := range s.slots {
		if w.process != nil {
			r.Children = append(r.Children, w.process.mark)
		}
	}
	return r
}

// save writes the state file. mu is held. That it can't be written is no reason to stop serving: it only matters
// after this gateway was killed, and then only for a worker that hangs.
func (s *Supervisor) save() {
	if err := s.state.write(s.record()); err != nil {
		s.options.Logger.Error("the workers could not be recorded", "error", err)
	}
}

// tell wakes WaitReady. mu is held.
func (s *Supervisor) tell() {
	close(s.news)
	s.news = make(chan struct{})
}
