package redisstore

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/parsescale/parsescale/policies/breaker"
	"github.com/parsescale/parsescale/policies/coding"
)

// Options are what a Store needs. Client and Prefix are required.
type Options struct {
	// Client is the connection, which must heed the deadlines of contexts and leave an answer WriteTimeout to be written. The Store
	// closes it.
	Client redis.UniversalClient
	// Prefix is what all names of keys begin with. In a Redis Cluster it has the hash tag that keeps them together.
	Prefix string
	// Timeout is how long a request may wait for an answer. Default 20 ms.
	Timeout time.Duration
	// MaxQueue and MaxQueueBytes bound the answers that wait to be written. Defaults 1024 and 16 MiB.
	MaxQueue      int
	MaxQueueBytes int64
}

// WriteTimeout bounds how long answers are being written; nobody waits for it.
const WriteTimeout = time.Second

// maxBatch is how many answers are written at once.
const maxBatch = 64

// Key names a question and who may share its answer.
type Key [32]byte

// Store is one gateway's access. It is safe for concurrent use.
type Store struct {
	o       Options
	breaker *breaker.Breaker
	encoder coding.Encoder
	queue   chan job
	queued  atomic.Int64 // bytes
	stop    context.CancelFunc
	ended   chan struct{}
	closing sync.Once

	found, absent, failed, skipped, written, lost atomic.Uint64
}

// job is an answer to write.
type job struct {
	key    Key
	answer Answer
	ttl    time.Duration
	valid  func() bool
	size   int64
}

// New returns a Store. It connects when there is something to ask.
func New(o Options) *Store {
	o.Timeout = cmp.Or(o.Timeout, 20*time.Millisecond)
	o.MaxQueue = cmp.Or(o.MaxQueue, 1024)
	o.MaxQueueBytes = cmp.Or(o.MaxQueueBytes, 16<<20)
	ctx, stop := context.WithCancel(context.Background())
	s := &Store{o: o, queue: make(chan job, o.MaxQueue), stop: stop, ended: make(chan struct{})}
	s.breaker = breaker.New(breaker.Options{
		Failures: 3, OpenFor: 500 * time.Millisecond, MaxOpenFor: 5 * time.Second, Probes: 1, ProbeTimeout: 2 * WriteTimeout,
	})
	go s.write(ctx)
	return s
}

func (s *Store) name(k Key) string { return s.o.Prefix + base64.RawURLEncoding.EncodeToString(k[:]) }

// Get returns the answer under the first of the keys that has one, and the key's place; nil if there is none, or it can't be told in
// time.
func (s *Store) Get(ctx context.Context, keys ...Key) (*Answer, int) {
	end, err := s.breaker.Allow()
	if err != nil {
		s.skipped.Add(1)
		return nil, 0
	}
	outcome := breaker.Ignored
	defer func() { end(outcome) }()
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = s.name(k)
	}
	within, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	values, err := s.o.Client.MGet(within, names...).Result()
	if err != nil || len(values) != len(keys) {
		if ctx.Err() == nil { // else it is the client who doesn't wait
			outcome = breaker.Failure
			s.failed.Add(1)
		}
		return nil, 0
	}
	outcome = breaker.Success
	counted := &s.absent
	for i, v := range values {
		text, ok := v.(string)
		if !ok {
			continue
		}
		a, err := parse([]byte(text))
		if err != nil {
			counted = &s.failed // it stays until its end, or until somebody writes another
			continue
		}
		s.found.Add(1)
		return a, i
	}
	counted.Add(1)
	return nil, 0
}

// Put has an answer written in the background, for a time. It isn't if valid says so by then. The answer must not change any more.
func (s *Store) Put(k Key, a Answer, ttl time.Duration, valid func() bool) {
	const other = 512
	size := int64(len(a.Body)+len(a.Reads)) + other
	if ttl < time.Millisecond || len(a.Body) > maxBody || len(a.Header) > maxFields || len(a.Position) > maxPosition {
		return
	}
	if s.queued.Add(size) > s.o.MaxQueueBytes {
		s.queued.Add(-size)
		s.lost.Add(1)
		return
	}
	select {
	case s.queue <- job{k, a, ttl, valid, size}:
	default:
		s.queued.Add(-size)
		s.lost.Add(1)
	}
}

// write writes what is put until ctx ends.
func (s *Store) write(ctx context.Context) {
	defer close(s.ended)
	for {
		var jobs []job
		select {
		case <-ctx.Done():
			return
		case j := <-s.queue:
			jobs = append(jobs, j)
		}
		for more := true; more && len(jobs) < maxBatch; {
			select {
			case j := <-s.queue:
				jobs = append(jobs, j)
			default:
				more = false
			}
		}
		n, err := s.writeBatch(ctx, jobs)
		if err != nil {
			s.lost.Add(uint64(n))
		} else {
			s.written.Add(uint64(n))
		}
		for _, j := range jobs {
			s.queued.Add(-j.size)
		}
	}
}

// writeBatch writes those of the answers that are still valid, and returns how many these are. That it can write says nothing of
// whether questions are answered in their far shorter time; that it cannot does.
func (s *Store) writeBatch(ctx context.Context, jobs []job) (n int, err error) {
	if s.breaker.State() != breaker.Closed {
		return len(jobs), breaker.ErrOpen // a question is what finds out
	}
	end, err := s.breaker.Allow()
	if err != nil {
		return len(jobs), err
	}
	outcome := breaker.Ignored
	defer func() { end(outcome) }()
	ctx, cancel := context.WithTimeout(ctx, WriteTimeout)
	defer cancel()
	p := s.o.Client.Pipeline()
	for _, j := range jobs {
		value := j.answer.append(nil, &s.encoder)
		if len(value) > maxValue || !j.valid() {
			continue
		}
		p.Set(ctx, s.name(j.key), value, j.ttl)
		n++
	}
	if n == 0 {
		return 0, nil
	}
	if _, err = p.Exec(ctx); err != nil {
		if reply := redis.Error(nil); !errors.Is(err, context.Canceled) && !errors.As(err, &reply) { // one that has no room still answers
			outcome = breaker.Failure
		}
		return n, err
	}
	return n, nil
}

// Stats are a Store's counters.
type Stats struct {
	// Up: requests ask. It is false for a while after some questions have failed.
	Up bool `json:"up"`
	// Found counts the answers that were there, Absent the questions without one, Failed those that failed, took too long, or were
	// answered by what can't be read, and Skipped those that weren't asked while it isn't up.
	Found   uint64 `json:"found"`
	Absent  uint64 `json:"absent"`
	Failed  uint64 `json:"failed"`
	Skipped uint64 `json:"skipped"`
	// Written counts the answers that were written, Lost those that weren't because too many waited or Redis failed.
	Written uint64 `json:"written"`
	Lost    uint64 `json:"lost"`
}

// Stats returns the counters.
func (s *Store) Stats() Stats {
	return Stats{
		Up: s.breaker.State() == breaker.Closed, Found: s.found.Load(), Absent: s.absent.Load(), Failed: s.failed.Load(),
		Skipped: s.skipped.Load(), Written: s.written.Load(), Lost: s.lost.Load(),
	}
}

// Close ends it. What waits isn't written any more.
func (s *Store) Close() error {
	var err error
	s.closing.Do(func() {
		s.stop()
		<-s.ended
		err = s.o.Client.Close()
	})
	return err
}
