package upstream

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/parsescale/parsescale/policies/balance"
	"github.com/parsescale/parsescale/policies/breaker"
	"github.com/parsescale/parsescale/policies/health"
)

// Options tune a pool. The zero value of each field means its default. They can be replaced while the pool runs.
type Options struct {
	// MaxWait is how long a request waits in all for a worker that can take it. Default 3 s; negative: not at all.
	MaxWait time.Duration
	// DialTimeout bounds the opening of a connection. Default 3 s.
	DialTimeout time.Duration
	// AnswerTimeout bounds the silence of a worker: from the end of a request to the first byte of its answer, and
	// between two parts of a body. Default 30 s; negative: no bound.
	AnswerTimeout time.Duration
	// WriteTime bounds the time in which a write to a bundled worker is repeated until its outcome is known.
	// Default 60 s.
	WriteTime time.Duration
	// Retries is how often a read is repeated after a worker failed on it. Default 3; negative: never.
	// A request that certainly reached no worker is repeated until MaxWait is used up.
	Retries int
	// WriteRetries is the same for a write to a bundled worker. Default 10; negative: never.
	WriteRetries int
	// RetryShare is the share of requests that retries may add, over ten seconds. Default 0.2.
	RetryShare float64
	// RetryPerSecond are retries that are allowed beside RetryShare. Default 10 a second.
	RetryPerSecond float64
	// GatherWrites is how many requests a worker may have under way and still get every write: the worker that is in
	// the pool for longest, of those that can be asked. It is for workers that share a file which only one of them can
	// write to at a time: one process commits many writes at once, two wait for each other. Writes beyond it, and
	// those that are Untimed, go to the worker that is best for a read. Default 0: all writes do.
	GatherWrites int64
	// BufferLimit is the largest body, in bytes, that is read before it is handed on; a worker that dies meanwhile
	// is replaced by another. Larger bodies are streamed. Default 8 MiB.
	BufferLimit int64
	// IdleTimeout is how long an unused connection to a remote worker is kept. Default 4 s, less than the 5 s after
	// which Node closes one: a write that meets the closing has an unknown outcome.
	IdleTimeout time.Duration
	// Hedge says when a read is asked of two workers. Default: never.
	Hedge Hedge
	// Policy is how a worker is chosen. Default: balance.PeakEWMA.
	Policy balance.Policy
	// Breaker tunes the breaker of each worker, Balance the choice among them, Health the passive health and how many
	// health checks in a row count. Their zero values are their defaults.
	Breaker breaker.Options
	Balance balance.Options
	Health  health.Options
	// PanicThreshold is the share of the workers, 0 to 1, of which at least so many must be healthy, or all are asked, whatever
	// is known of their health. Default 0: only if none is healthy.
	PanicThreshold float64
	// Probe are the active health checks. Its interval holds, not Health's.
	Probe Probe
	// Logger gets changes of the workers' health and of their breakers; nil: none.
	Logger *slog.Logger
	// OnChange is told of the same changes. It must not block. Default nil: nobody is.
	OnChange func(Change)
	// Trace is called before each attempt, with the context of Do and the header that is about to be sent, which it may add to. end
	// is called when the attempt's answer has begun or the attempt has failed; failure is "" for an answer, and Outrun where
	// another attempt was answered first. It may be called for two attempts at once. Default nil: nothing is traced.
	Trace func(ctx context.Context, a Attempt, h http.Header) (end func(status int, failure string))
}

// Attempt is one sending of a request to one worker.
type Attempt struct {
	Worker string
	// Number counts a request's attempts from 1.
	Number int
	// Hedge: it was made while another one went on, because that took long.
	Hedge bool
}

// Outrun is how an attempt fails whose answer isn't needed any more: another worker has answered.
const Outrun = "outrun"

// Change is a worker's change of state.
type Change struct {
	Worker string
	// What changed: breaker (closed, half-open, open), or health (up, down by its health checks, ejected for a while because
	// requests to it failed).
	What     string
	From, To string
}

// Probe tunes active health checks: a GET that must be answered with a 2xx status.
type Probe struct {
	// Path is asked for, below the worker's address, such as /parse/health. Default "": no active checks.
	Path string
	// Header is sent along, as name and value pairs. Default none.
	Header map[string]string
	// Interval between two checks of one worker, ±20 %. Default 5 s; ten times as often while the worker is down.
	// It stays what it was when the pool was made.
	Interval time.Duration
	// Timeout of one check. Default 2 s.
	Timeout time.Duration
}

func (o *Options) changed(c Change) {
	if o.OnChange != nil {
		o.OnChange(c)
	}
}

func (o Options) withDefaults() Options {
	set(&o.MaxWait, 3*time.Second)
	set(&o.DialTimeout, 3*time.Second)
	set(&o.AnswerTimeout, 30*time.Second)
	set(&o.WriteTime, time.Minute)
	set(&o.Retries, 3)
	set(&o.WriteRetries, 10)
	set(&o.RetryShare, 0.2)
	set(&o.RetryPerSecond, 10)
	set(&o.BufferLimit, 8<<20)
	set(&o.IdleTimeout, 4*time.Second)
	set(&o.Probe.Timeout, 2*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func set[T comparable](field *T, fallback T) {
	var zero T
	if *field == zero {
		*field = fallback
	}
}
