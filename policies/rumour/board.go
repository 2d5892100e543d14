package rumour

import (
	"context"
	_ "embed" // the script
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Report is what a gateway says of a worker: that its own requests fail there.
type Report struct {
	// Worker is the worker's address, the same for all gateways.
	Worker string `json:"w"`
	// Number tells the times apart that a gateway says it.
	Number int64 `json:"n"`
}

// Notes are what gateways say, by their names. One that says nothing is among them, too.
type Notes map[string][]Report

// The bounds of a note. A longer one is cut: it is for hints.
const (
	maxReports = 64
	maxAddress = 256
	maxNote    = 32 << 10
)

//go:embed exchange.lua
var exchangeSource string

var exchange = redis.NewScript(exchangeSource)

// Board is where the gateways of an app leave their notes: a hash in Redis, of which a field is one gateway's.
type Board struct {
	client  redis.UniversalClient
	key     string
	name    string
	keep    time.Duration
	timeout time.Duration
}

// NewBoard returns the board under a key, for a gateway with a name that no other has. keep is how long its note counts,
// timeout how long a question may take. Nothing is sent before the first one.
func NewBoard(client redis.UniversalClient, key, name string, keep, timeout time.Duration) *Board {
	return &Board{client, key, name, keep, timeout}
}

// Exchange leaves this gateway's note in the place of its last one, and returns those of all gateways.
func (b *Board) Exchange(ctx context.Context, mine []Report) (Notes, error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	if len(mine) > maxReports {
		mine = mine[:maxReports]
	}
	note, err := json.Marshal(append([]Report{}, mine...))
	if err != nil {
		return nil, fmt.Errorf("cannot write a note: %w", err)
	}
	list, err := exchange.Run(ctx, b.client, []string{b.key}, b.name, note, b.keep.Microseconds()).StringSlice()
	if err != nil {
		return nil, fmt.Errorf("cannot exchange notes with the other gateways: %w", err)
	}
	if len(list)%2 != 0 {
		return nil, errors.New("cannot exchange notes with the other gateways: Redis answers something else")
	}
	notes := Notes{}
	for i := 0; i < len(list); i += 2 {
		notes[list[i]] = readNote(list[i+1])
	}
	return notes, nil
}

// Withdraw takes this gateway's note away.
func (b *Board) Withdraw(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	if err := b.client.HDel(ctx, b.key, b.name).Err(); err != nil {
		return fmt.Errorf("cannot withdraw a note: %w", err)
	}
	return nil
}

// readNote reads what another gateway, perhaps of another version, has written. What can't be read says nothing.
func readNote(text string) []Report {
	var all []Report
	if len(text) > maxNote || json.Unmarshal([]byte(text), &all) != nil || len(all) > maxReports {
		return nil
	}
	kept := all[:0]
	for _, r := range all {
		if r.Worker != "" && len(r.Worker) <= maxAddress {
			kept = append(kept, r)
		}
	}
	return kept
}
