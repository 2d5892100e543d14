//go:build unix

package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/parsescale/parsescale/policies/upstream"
	"github.com/parsescale/parsescale/server/change"
)

// slot is a place that always has a worker, one process after the other.
type slot struct {
	s      *Supervisor
	number int
	server json.RawMessage // the options its workers are started with
	luck   float64         // from 0 to 1, of the limits
	stop   chan struct{}   // closed when the slot is to be given up

	// under s.mu
	stopping  bool
	process   *process
	status    WorkerStatus
	failed    bool // its latest start failed
	everReady bool
}

// drain gives the slot up: once it has returned, the pool sends its worker nothing new. s.mu is held.
func (w *slot) drain() {
	if !w.stopping {
		w.stopping = true
		close(w.stop)
		_ = w.s.pool.Retire(w.name()) // a worker that isn't a member gets nothing, and won't become one
	}
}

// join makes the slot's worker a member of the pool, unless the slot was given up meanwhile.
func (w *slot) join(socket string) error {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if w.stopping {
		return nil
	}
	return w.s.pool.Add(upstream.Target{Name: w.name(), Address: "unix/" + socket, Kind: upstream.Bundled})
}

var (
	errStartTimeout = errors.New("it was not ready in time")
	errEnded        = errors.New("it ended by itself") // after saying that it was drained
)

// run keeps a worker in the slot until the slot is given up.
func (w *slot) run() {
	defer w.leave()
	unstable := 0 // lives in a row that were too short
	for {
		ready, err := w.live()
		select {
		case <-w.stop:
			return
		default:
		}
		pause := time.Duration(0)
		if ready >= stable {
			unstable = 0
		} else {
			unstable++
			pause = backoff(unstable, w.s.options.BackoffMin, w.s.options.BackoffMax, rand.Float64())
		}
		w.died(err)
		w.log().Error("worker ended; it is started again", "error", err, "was_ready_for", ready, "in", pause)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-w.stop:
			timer.Stop()
			return
		}
		w.set(Starting)
	}
}

// live is one process in the slot, from its start to its end. It returns how long the worker was ready, and why it
// ended; nil if it was drained.
func (w *slot) live() (ready time.Duration, err error) {
	o := &w.s.options
	// Slots' names come again, when what a former process has left in the database may still be being ended.
	life := w.s.lives.Add(1)
	socket := filepath.Join(w.s.sockets, fmt.Sprintf("%d-%d.sock", w.number, life))
	p, err := startProcess(o.Command, o.Env, w.log())
	if err != nil {
		return 0, err
	}
	w.holds(p)
	session := ""
	if o.Sessions != nil {
		session = o.Sessions.Session(fmt.Sprintf("%s.%d", w.name(), life))
	}
	stream := w.s.attach(w.name(), p.stream, change.Start{App: o.App, Socket: socket, Session: session, Options: w.server})
	grace := time.Duration(0)
	defer func() {
		_ = w.s.pool.Remove(w.name()) // at once, so that nothing more is sent to it
		p.end(grace)
		w.awaitEnd(p, stream)
		w.settle(stream, session)
		_ = p.stream.Close()
		_ = os.Remove(socket)
		w.holds(nil)
		if err != nil {
			err = fmt.Errorf("%w (%s)", err, p.status)
		}
	}()

	timer := time.NewTimer(o.StartTimeout)
	defer timer.Stop()
	select {
	case <-stream.Ready():
	case <-stream.Ended():
		grace = o.KillDelay // it may be about to exit by itself, and to print why
		return 0, streamError(stream)
	case <-p.exited:
		return 0, w.lastWords(p, stream)
	case <-timer.C:
		return 0, errStartTimeout
	case <-w.stop:
		grace = o.KillDelay
		return 0, nil
	}
	if err := w.join(socket); err != nil {
		return 0, err
	}
	begun := time.Now()
	w.set(Ready)
	w.log().Info("worker is ready", "pid", p.pid)

	select {
	case <-stream.Ended():
		return time.Since(begun), streamError(stream)
	case <-p.exited:
		return time.Since(begun), w.lastWords(p, stream)
	case <-w.stop:
	}
	grace = o.KillDelay
	w.finish(p, stream)
	return time.Since(begun), nil
}

// finish lets the worker end what it does: first no more requests are sent to it, then it is told to stop. After
// DrainTimeout its time is over.
func (w *slot) finish(p *process, stream stream) {
	w.set(Draining)
	ctx, cancel := context.WithTimeout(w.s.hurry, w.s.options.DrainTimeout)
	defer cancel()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_ = w.s.pool.Drain(ctx, w.name())
	}()
	select {
	case <-drained:
	case <-p.exited:
	}
	stream.Stop()
	select {
	case <-p.exited:
	case <-ctx.Done():
		w.log().Warn("worker didn't finish in time; it is ended", "pid", p.pid)
	}
	cancel()
	<-drained
}

// settleTime bounds the reading of what a dead worker had still written: it is in the socket's buffer already.
const settleTime = 5 * time.Second

// awaitEnd waits until the hub has read everything that the dead worker said.
func (w *slot) awaitEnd(p *process, stream stream) {
	timer := time.NewTimer(settleTime)
	defer timer.Stop()
	select {
	case <-stream.Ended():
	case <-timer.C: // somebody else holds the worker's end
		_ = p.stream.Close()
		<-stream.Ended()
	}
}

// settle tells the hub that the worker's process is gone, once its sessions at the database are, too. The next process in
// the slot need not wait for that.
func (w *slot) settle(stream stream, session string) {
	if session == "" || stream.Err() == nil { // it was drained, and closed them itself
		stream.Reaped()
		return
	}
	w.s.running.Go(func() {
		if err := w.s.options.Sessions.EndSessions(w.s.hurry, session); err != nil {
			// The supervisor is stopping. What the worker prepared stays in doubt: nobody may say that all is settled.
			w.log().Error("cannot end what a dead worker has left in the database", "session", session, "error", err)
			return
		}
		stream.Reaped()
	})
}

// lastWords is why a worker whose process has ended did so: it may have said it.
func (w *slot) lastWords(p *process, stream stream) error {
	_ = w.s.pool.Remove(w.name())
	w.awaitEnd(p, stream)
	return streamError(stream)
}

func streamError(s stream) error {
	if err := s.Err(); err != nil {
		return err
	}
	return errEnded
}

func (w *slot) name() string { return fmt.Sprintf("worker-%d", w.number) }

func (w *slot) log() *slog.Logger { return w.s.options.Logger.With("worker", w.name()) }

// holds records which process the slot has.
func (w *slot) holds(p *process) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.process, w.status.PID = p, 0
	switch {
	case p != nil:
		w.status.PID = p.pid
	case w.status.State == Ready:
		w.status.State, w.status.Since = Dead, time.Now() // why is told in a moment
	}
	w.s.save()
}

func (w *slot) set(state State) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.status.State, w.status.Since = state, time.Now()
	switch state {
	case Ready:
		w.failed, w.everReady = false, true
	case Starting:
		w.status.Restarts++
	}
	w.s.tell()
}

func (w *slot) died(err error) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.status.State, w.status.Since, w.status.LastError = Dead, time.Now(), err.Error()
	w.failed = true
	w.s.tell()
}

// leave takes the slot out of the supervisor.
func (w *slot) leave() {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.s.slots = slices.DeleteFunc(w.s.slots, func(x *slot) bool { return x == w })
	w.s.tell()
}
