package decoding

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/parsescale/parsescale/policies/feed"
)

// session is one time the database is followed, from the making of a slot to the loss of a connection. It has three
// connections: one the log comes in by, one to ask what is visible, and one to write fences with.
type session struct {
	feed    *Feed
	server  server
	slot    string
	decoder decoder
	fences  *fences
	settler *settler
	// tables are those whose rows are told without gaps, by their numbers.
	tables map[string]bool
	isLive bool // of the goroutine that receives

	log, asking, fencing *pgconn.PgConn
}

// follow follows the database as long as that goes well.
func (f *Feed) follow(ctx context.Context) error {
	s := &session{feed: f, fences: newFences(), settler: newSettler(), tables: map[string]bool{}}
	defer s.end()
	if err := s.prepare(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	for _, part := range [...]func(context.Context) error{s.receive, s.settle, s.fence} {
		running.Go(func() { cancel(part(ctx)) })
	}
	running.Wait()
	return context.Cause(ctx)
}

// prepare connects, and makes everything that the log is followed by.
func (s *session) prepare(ctx context.Context) (err error) {
	const timeout = 10 * time.Second // but for the slot, which waits for the transactions that run
	short, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	f := s.feed
	if s.asking, err = f.connect(short, "connect to PostgreSQL", nil); err != nil {
		return err
	}
	if s.server, err = inspect(short, s.asking); err != nil {
		return err
	}
	// A publication must be there when the slot is made; what is wrong with it is better known before.
	tables, _, err := joinPublication(short, s.asking, f.options.Publication, s.server.namespace)
	if err != nil {
		return err
	}
	s.follows(tables)
	// A message alone is written to disk, and so told, only a while later; "local" because it needn't wait for standbys.
	if s.fencing, err = f.connect(short, "connect to PostgreSQL", map[string]string{"synchronous_commit": "local"}); err != nil {
		return err
	}
	s.log, err = f.connect(short, "read PostgreSQL's log", map[string]string{
		"replication": "database", "DateStyle": "ISO", "TimeZone": "UTC", "extra_float_digits": "1",
	})
	if err != nil {
		return err
	}
	return s.start(ctx)
}

// start makes the slot and begins to read. The slot is gone when its connection is.
func (s *session) start(ctx context.Context) error {
	f := s.feed
	if err := s.makeSlot(ctx); err != nil {
		return err
	}
	if err := s.becomeVisible(ctx); err != nil {
		return err
	}
	// The classes as they are after the slot was made: what changes later, the log tells.
	rows, err := ask(ctx, s.asking, "read _SCHEMA", `SELECT "className", "schema"::text FROM `+quote(s.server.namespace)+`."_SCHEMA"`)
	if err != nil {
		return err
	}
	s.decoder = decoder{app: f.options.App, namespace: s.server.namespace, classes: classes{}, tables: map[uint32]*table{}}
	for _, row := range rows {
		if s.decoder.classes[row[0]], err = parseClass(row[0], []byte(row[1])); err != nil {
			return err
		}
	}
	err = pglogrepl.StartReplication(ctx, s.log, s.slot, 0, pglogrepl.StartReplicationOptions{
		Mode:       pglogrepl.LogicalReplication,
		PluginArgs: []string{"proto_version '1'", "publication_names '" + strings.ReplaceAll(quote(f.options.Publication), "'", "''") + "'", "messages 'true'"},
	})
	return explain("read PostgreSQL's log", err)
}

// live is called when the first fence has come back: everything that the slot told until then has been applied, and what it
// missed is visible.
func (s *session) live() {
	s.isLive = true
	f := s.feed
	f.forget() // nothing from before is known to be true
	f.mu.Lock()
	f.fences = s.fences
	f.mu.Unlock()
	f.set(feed.Live, nil)
}

// end gives everything up. What was cached is dropped before anything that was held back is let go.
func (s *session) end() {
	f := s.feed
	f.mu.Lock()
	wasLive := f.fences == s.fences
	if wasLive {
		f.fences, f.state, f.since = nil, feed.Lost, time.Now()
		f.totals.Losses++
	}
	f.mu.Unlock()
	if wasLive {
		f.forget()
	}
	s.settler.close()
	s.fences.close()
	for _, c := range [...]*pgconn.PgConn{s.log, s.asking, s.fencing} {
		if c != nil {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			_ = c.Close(ctx) // it may be broken already
			cancel()
		}
	}
}

// receive reads the log.
func (s *session) receive(ctx context.Context) error {
	position := pglogrepl.LSN(0)
	told := time.Now()
	for {
		// Beats come in by the log, so it is never silent.
		limited, cancel := context.WithTimeout(ctx, 10*s.feed.options.Limit)
		raw, err := s.log.ReceiveMessage(limited)
		cancel()
		if err != nil {
			return explain("read PostgreSQL's log", err)
		}
		asked := false
		switch m := raw.(type) {
		case *pgproto3.CopyData:
			if position, asked, err = s.take(m.Data, position); err != nil {
				return err
			}
		case *pgproto3.ErrorResponse:
			return explain("read PostgreSQL's log", pgconn.ErrorResponseToPgError(m))
		case *pgproto3.CopyDone:
			return errors.New("PostgreSQL ended its log; is it shutting down?")
		}
		if asked || time.Since(told) > time.Second {
			told = time.Now()
			if err := pglogrepl.SendStandbyStatusUpdate(ctx, s.log, pglogrepl.StandbyStatusUpdate{WALWritePosition: position}); err != nil {
				return explain("tell PostgreSQL how far its log was read", err)
			}
		}
	}
}

// take takes in one message of the replication protocol. It returns up to where the log isn't needed any more, and
// whether the server wants to be told.
func (s *session) take(data []byte, position pglogrepl.LSN) (pglogrepl.LSN, bool, error) {
	if len(data) == 0 {
		return position, false, fmt.Errorf("%w: an empty message", errStream)
	}
	switch data[0] {
	case pglogrepl.PrimaryKeepaliveMessageByteID:
		k, err := pglogrepl.ParsePrimaryKeepaliveMessage(data[1:])
		if err != nil {
			return position, false, fmt.Errorf("%w: %w", errStream, err)
		}
		if s.decoder.open == nil {
			position = max(position, k.ServerWALEnd)
		}
		return position, k.ReplyRequested, nil
	case pglogrepl.XLogDataByteID:
		x, err := pglogrepl.ParseXLogData(data[1:])
		if err != nil {
			return position, false, fmt.Errorf("%w: %w", errStream, err)
		}
		m, err := parse(x.WALData)
		if err != nil {
			return position, false, err
		}
		switch m := m.(type) {
		case *pglogrepl.LogicalDecodingMessage:
			s.message(m)
			return position, false, nil
		case *pglogrepl.CommitMessage:
			position = max(position, m.TransactionEndLSN)
		}
		t, err := s.decoder.take(m, len(x.WALData))
		if t != nil {
			s.apply(t)
		}
		return position, false, err
	}
	return position, false, nil
}

// message takes in a message, which may be a fence.
func (s *session) message(m *pglogrepl.LogicalDecodingMessage) {
	if m.Prefix != prefix {
		return
	}
	at, ours := s.fences.back(string(m.Content))
	if !ours {
		return
	}
	f := s.feed
	f.beat.Store(int64(at.Sub(f.started)))
	f.mu.Lock()
	f.totals.Fences++
	f.mu.Unlock()
	if !s.isLive {
		s.live()
	}
}

// apply tells of a transaction. It is finished when it is visible, which may be a good while later.
func (s *session) apply(t *transaction) {
	changes := t.result()
	if len(changes) == 0 {
		return
	}
	f := s.feed
	count := len(changes)
	finish := f.options.Applier.Prepare(changes)
	s.settler.add(held{xid: t.xid, tables: t.schema, finish: finish})
	f.mu.Lock()
	f.totals.Transactions++
	f.totals.Changes += uint64(count)
	if t.whole != nil {
		f.totals.Large++
	}
	f.mu.Unlock()
}

// fence writes fences: whenever somebody asks for one, and at every beat.
func (s *session) fence(ctx context.Context) error {
	sql := "SELECT pg_logical_emit_message(false, $1, $2, true)"
	if s.server.version < 170000 {
		// Before, only a transaction's message is written to disk at once.
		sql = "SELECT pg_logical_emit_message(true, $1, $2)"
	}
	beat := time.NewTicker(s.feed.options.Beat)
	defer beat.Stop()
	for {
		limited, cancel := context.WithTimeout(ctx, 10*s.feed.options.Limit)
		_, err := ask(limited, s.fencing, "write a fence to PostgreSQL's log", sql, prefix, s.fences.next(time.Now()))
		cancel()
		if err != nil {
			return err
		}
		select {
		case <-s.fences.wake:
		case <-beat.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
