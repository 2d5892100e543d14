package decoding

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pglogrepl"
)

// makeSlot makes the slot. The server waits with it for the transactions that run, and keeps its log meanwhile.
func (s *session) makeSlot(ctx context.Context) error {
	s.slot = "parsescale_" + strings.ToLower(rand.Text()[:16])
	making, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	made := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		if err := s.watchMaking(ctx, made); err != nil {
			cancel(err)
		}
	})
	_, err := pglogrepl.CreateReplicationSlot(making, s.log, s.slot, "pgoutput", pglogrepl.CreateReplicationSlotOptions{
		Temporary: true, Mode: pglogrepl.LogicalReplication, SnapshotAction: "NOEXPORT_SNAPSHOT",
	})
	close(made)
	watching.Wait()
	if cause := context.Cause(making); cause != nil && ctx.Err() == nil {
		return cause
	}
	return explain("make a slot to read PostgreSQL's log by", err)
}

// errWaits tells why it takes time until the database is followed.
var errWaits = errors.New("the database's log can be followed once the transactions that run now have ended")

// watchMaking checks what the server keeps while it makes the slot.
func (s *session) watchMaking(ctx context.Context, made <-chan struct{}) error {
	every := time.NewTicker(s.feed.options.watch)
	defer every.Stop()
	for {
		select {
		case <-every.C:
			s.feed.waits(errWaits)
			if err := s.checkRetained(ctx); err != nil && !errors.Is(err, errNoSlot) { // it may not have begun yet
				return err
			}
		case <-made:
			return nil
		}
	}
}

// errNoSlot: the slot isn't there.
var errNoSlot = errors.New("PostgreSQL has dropped the slot")

// checkRetained fails when the server has to keep too much of its log for us.
func (s *session) checkRetained(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, 10*s.feed.options.Limit)
	defer cancel()
	rows, err := ask(limited, s.asking, "ask PostgreSQL what it keeps",
		"SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) FROM pg_catalog.pg_replication_slots WHERE slot_name = $1", s.slot)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return errNoSlot
	}
	if kept, _ := strconv.ParseInt(rows[0][0], 10, 64); kept > s.feed.options.MaxRetained { // the server sends digits, or NULL
		return fmt.Errorf("%w (%d MiB); is a transaction open for very long?", ErrRetained, kept>>20)
	}
	return nil
}
