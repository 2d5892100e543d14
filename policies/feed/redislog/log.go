// Package redislog carries the records of an app's gateways in a Redis Stream. It must not know what a record says: whoever
// writes and reads them notices by their own numbers what Redis has lost, repeated or put into another order.
package redislog

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// maxLen is about how many records the stream keeps. A gateway that falls further behind drops what it has cached.
	maxLen = 8192
	// keep is how long a stream that nobody writes to any more stays.
	keep = time.Hour
	// atOnce is the most records read at once, block how long is waited for the first.
	atOnce = 256
	block  = 400 * time.Millisecond
	// field is the one field of an entry.
	field = "r"
)

// Log is one gateway's access to the stream. Append and Read may run at the same time, each in one goroutine.
type Log struct {
	client  redis.UniversalClient
	key     string
	timeout time.Duration
	kept    time.Time // when the key's end was put off last
	at      string    // the last entry that was read; "": none was looked for
}

// New returns a Log in the stream with a key. Nothing is sent before the first call. timeout bounds each question.
func New(client redis.UniversalClient, key string, timeout time.Duration) *Log {
	return &Log{client: client, key: key, timeout: timeout}
}

// Append implements peers.Log.
func (l *Log) Append(ctx context.Context, records [][]byte) error {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	p := l.client.Pipeline()
	for _, r := range records {
		p.XAdd(ctx, &redis.XAddArgs{Stream: l.key, MaxLen: maxLen, Approx: true, Values: []any{field, r}})
	}
	put := time.Since(l.kept) > keep/10
	if put {
		p.Expire(ctx, l.key, keep)
	}
	if _, err := p.Exec(ctx); err != nil {
		return fmt.Errorf("cannot append to the stream %s: %w", l.key, err)
	}
	if put {
		l.kept = time.Now()
	}
	return nil
}

// Read implements peers.Log. The first call begins behind what is there.
func (l *Log) Read(ctx context.Context) ([][]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, block+l.timeout)
	defer cancel()
	if l.at == "" {
		last, err := l.last(ctx)
		if err != nil {
			return nil, err
		}
		l.at = last
	}
	streams, err := l.client.XRead(ctx, &redis.XReadArgs{Streams: []string{l.key, l.at}, Count: atOnce, Block: block}).Result()
	if errors.Is(err, redis.Nil) {
		return nil, l.rewind(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the stream %s: %w", l.key, err)
	}
	var records [][]byte
	for _, s := range streams {
		for _, m := range s.Messages {
			l.at = m.ID
			text, _ := m.Values[field].(string) // what isn't ours is no record, and whoever reads it says so
			records = append(records, []byte(text))
		}
	}
	return records, nil
}

// rewind begins anew if the stream ends before what was read: it has lost it, and counts from another time now.
func (l *Log) rewind(ctx context.Context) error {
	last, err := l.last(ctx)
	if err != nil {
		return err
	}
	if before(last, l.at) {
		l.at = "0-0"
	}
	return nil
}

// last is the id of the stream's last entry, 0-0 if it has none.
func (l *Log) last(ctx context.Context) (string, error) {
	list, err := l.client.XRevRangeN(ctx, l.key, "+", "-", 1).Result()
	if err != nil {
		return "", fmt.Errorf("cannot read the end of the stream %s: %w", l.key, err)
	}
	if len(list) == 0 {
		return "0-0", nil
	}
	return list[0].ID, nil
}

// before compares two ids: milliseconds and a number.
func before(a, b string) bool {
	am, as := parts(a)
	bm, bs := parts(b)
	return am < bm || am == bm && as < bs
}

func parts(id string) (ms, seq uint64) {
	m, s, _ := strings.Cut(id, "-")
	ms, _ = strconv.ParseUint(m, 10, 64) // Redis made it
	seq, _ = strconv.ParseUint(s, 10, 64)
	return ms, seq
}
