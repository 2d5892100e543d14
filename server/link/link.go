package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/parsescale/parsescale/server/change"
)

var (
	// ErrLost: the stream to the gateway has ended. Nothing may be committed any more.
	ErrLost = errors.New("the control stream to the gateway is lost")
	// ErrVersion: the gateway speaks another version of the protocol.
	ErrVersion = errors.New("the gateway and the worker are of different versions")
	// ErrDraining: Drained was called, and with it promised that nothing more will be prepared.
	ErrDraining = errors.New("the worker is stopping")
)

// flushTimeout bounds how long a last message may take to leave.
const flushTimeout = 5 * time.Second

// Link is a worker's end of the control stream. All methods are safe for concurrent use.
type Link struct {
	rw       io.ReadWriteCloser
	w        *change.Writer
	stopping chan struct{}
	lost     chan struct{}

	mu      sync.Mutex
	lastID  uint64
	waiting map[uint64]chan struct{} // closed by the Ack; removed by whoever gives up
	open    int                      // prepared, neither done nor aborted
	ended   bool
	drained bool
	stopped bool
}

// Open reads the Start message that the gateway sends first, and serves the stream from then on. It waits as long as
// the gateway takes: the gateway is this process's parent and ends it when something is wrong.
func Open(rw io.ReadWriteCloser) (*Link, change.Start, error) {
	r := change.NewReader(rw)
	f, err := r.Next()
	if err != nil {
		return nil, change.Start{}, fmt.Errorf("cannot read the start message: %w", err)
	}
	if f.Type != change.TypeStart {
		return nil, change.Start{}, fmt.Errorf("cannot start: expected a start message, got %s", f.Type)
	}
	l := &Link{
		rw: rw, w: change.NewWriter(rw), stopping: make(chan struct{}), lost: make(chan struct{}),
		waiting: map[uint64]chan struct{}{},
	}
	if f.Start.Protocol != change.Protocol {
		err := fmt.Errorf("%w: the gateway has protocol %d, this worker %d; install the same version on both sides", ErrVersion, f.Start.Protocol, change.Protocol)
		_ = l.Failed(err.Error()) // the error to report is this one
		_ = l.Close()
		return nil, change.Start{}, err
	}
	go l.read(r)
	go func() {
		// A stream that can't be written is lost, even if it could still be read.
		<-l.w.Done()
		_ = l.rw.Close()
	}()
	return l, f.Start, nil
}

// read serves what the gateway sends. It never waits for anything but the stream.
func (l *Link) read(r *change.Reader) {
	defer l.lose()
	for {
		f, err := r.Next()
		if err != nil {
			return
		}
		switch f.Type {
		case change.TypeAck:
			l.mu.Lock()
			if c := l.waiting[f.ID]; c != nil {
				delete(l.waiting, f.ID)
				close(c)
			}
			l.mu.Unlock()
		case change.TypeStop:
			l.mu.Lock()
			if !l.stopped {
				l.stopped = true
				close(l.stopping)
			}
			l.mu.Unlock()
		case change.TypePing:
			if l.w.Send(&change.Frame{Type: change.TypePong}) != nil {
				return
			}
		default:
			return // a gateway that says anything else can't be trusted with the next Ack
		}
	}
}

func (l *Link) lose() {
	l.mu.Lock()
	if !l.ended {
		l.ended = true
		close(l.lost)
	}
	l.mu.Unlock()
	l.w.Close()
	_ = l.rw.Close()
}

// Ready tells the gateway that the worker serves.
func (l *Link) Ready() error {
	return l.w.Send(&change.Frame{Type: change.TypeReady, Ready: change.Ready{Protocol: change.Protocol, PID: os.Getpid()}})
}

// Failed tells the gateway why the worker can't serve, and waits until that is said. The reason reaches the gateway's
// log: it must hold no secret.
func (l *Link) Failed(reason string) error {
	if len(reason) > 64<<10 {
		reason = reason[:64<<10]
	}
	return l.last(&change.Frame{Type: change.TypeFailed, Reason: reason})
}

// Stopping is closed when the gateway asks the worker to finish what runs and to end.
func (l *Link) Stopping() <-chan struct{} { return l.stopping }

// Lost is closed when the stream has ended, for whatever reason. A worker without its gateway ends at once.
func (l *Link) Lost() <-chan struct{} { return l.lost }

// Drained tells the gateway that nothing runs any more and nothing more will be prepared, and waits until that is said.
// It refuses to while a prepared change is neither committed nor given up.
func (l *Link) Drained() error {
	l.mu.Lock()
	open := l.open
	if open == 0 {
		l.drained = true
	}
	l.mu.Unlock()
	if open > 0 {
		return fmt.Errorf("cannot end: %d prepared writes are still open", open)
	}
	return l.last(&change.Frame{Type: change.TypeDrained})
}

func (l *Link) last(f *change.Frame) error {
	if err := l.w.Send(f); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	return l.w.Flush(ctx)
}

// Close ends the stream.
func (l *Link) Close() error {
	l.w.Close()
	return l.rw.Close()
}
