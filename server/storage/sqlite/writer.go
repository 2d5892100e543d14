package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/parsescale/parsescale/server/change"
)

// maxGroup is how many writes share a commit at most. Other processes wait meanwhile, as do those who wrote first.
const maxGroup = 128

// sweepEvery is how often expired write ids are deleted.
const sweepEvery = 30 * time.Second

// maxWAL is the size of the write-ahead log in bytes beyond which a commit waits for the readers to leave it, so that
// it starts anew; as long as somebody always reads, SQLite by itself never does that.
const maxWAL = 64 << 20

// writer is the only one in this process that writes. Its goroutine runs the writes in groups, each with one commit.
type writer struct {
	store   *Store
	conn    *conn
	catalog *catalog
	state   state
	now     func() time.Time
	swept   time.Time
	commits int
}

var errAbandoned = errors.New("cannot write: another write of the same group ended the writer")

func (w *writer) newTx() *tx {
	return &tx{snapshot: snapshot{conn: w.conn, catalog: w.catalog, writing: true}}
}

// loop runs groups until the queue is closed.
func (w *writer) loop() {
	g := &group{writer: w}
	finished := false
	defer func() {
		if finished {
			w.shut()
			return
		}
		// A function ended this goroutine (runtime.Goexit). What it did is undone, and the others go on without it.
		g.fail(errAbandoned)
		go w.loop()
	}()
	for first := range w.store.queue {
		g.run(first)
	}
	finished = true
}

// shut closes all connections, in turn with other processes: the last one to close a database tidies up its files.
func (w *writer) shut() {
	s := w.store
	defer close(s.writerDone)
	entered := s.turn.enter() == nil
	s.idle.Lock()
	for _, c := range s.idle.conns {
		_ = c.close()
	}
	s.idle.conns = nil
	s.idle.Unlock()
	_ = w.conn.close()
	if entered {
		s.turn.leave()
	}
	s.turn.close()
}

// group is the writes of one transaction.
type group struct {
	*writer
	members []*write
	changes []change.Change
	turn    bool // this process has the turn
	open    bool // the transaction is open
	version state
}

// run runs a group that starts with the write given. Every write it takes is answered.
func (g *group) run(first *write) {
	if !first.take() {
		return
	}
	g.members = append(g.members[:0], first)
	g.changes = g.changes[:0]
	if err := g.begin(); err != nil {
		g.fail(err)
		return
	}
	start, wrote := time.Now(), false
	for next := first; next != nil; next = g.next(start) {
		if next != first {
			g.members = append(g.members, next)
		}
		kept, err := g.one(next)
		if err != nil {
			g.fail(err)
			return
		}
		wrote = wrote || kept
	}
	if !wrote {
		g.end()
		return
	}
	if err := g.commit(); err != nil {
		g.fail(err)
		return
	}
	g.end()
}

// next takes the next write of the queue, if there is one and the group isn't full.
func (g *group) next(start time.Time) *write {
	for len(g.members) < maxGroup && time.Since(start) < g.store.options.GroupTime {
		select {
		case w, ok := <-g.store.queue:
			if !ok {
				return nil
			}
			if w.take() {
				return w
			}
		default:
			return nil
		}
	}
	return nil
}

// begin waits for the turn, opens the transaction and learns what other processes changed.
func (g *group) begin() error {
	if err := g.store.turn.enter(); err != nil {
		return err
	}
	g.turn = true
	if _, err := g.conn.exec(sqlBegin); err != nil {
		return fmt.Errorf("cannot begin a transaction: %w", err)
	}
	g.open = true
	cur, st, err := openState(g.conn)
	if err != nil {
		return fmt.Errorf("cannot read the state of the database: %w", err)
	}
	cur.close()
	g.state, g.version = st, st
	if g.catalog.schema.Version != st.schema {
		if g.catalog, err = g.store.at(g.conn, st.schema); err != nil {
			return err
		}
	}
	return nil
}

var (
	sqlBegin     = []byte("BEGIN IMMEDIATE")
	sqlCommit    = []byte("COMMIT")
	sqlRollback  = []byte("ROLLBACK")
	sqlSavepoint = []byte("SAVEPOINT w")
	sqlUndo      = []byte("ROLLBACK TO w")
	sqlRelease   = []byte("RELEASE w")
	sqlState     = []byte(`UPDATE "_Parsescale_State" SET "commits"=?1,"schema"=?2`)
	sqlKeep      = []byte(`INSERT OR REPLACE INTO "_Parsescale_Write" ("id","result","expires") VALUES (?1,?2,?3)`)
	sqlSweep     = []byte(`DELETE FROM "_Parsescale_Write" WHERE "expires"<?1`)
)

const sqlKept = `SELECT "result" FROM "_Parsescale_Write" WHERE "id"=?1 AND "expires">=?2`

// one runs a write within its savepoint and notes its answer, to be given after the commit. kept: it left something to
// commit. An error is about the whole group.
func (g *group) one(w *write) (kept bool, err error) {
	if w.err = w.ctx.Err(); w.err != nil {
		return false, nil
	}
	if w.id != "" {
		if w.repeated, w.err = g.known(w); w.repeated || w.err != nil {
			return false, nil
		}
	}
	if _, err := g.conn.exec(sqlSavepoint); err != nil {
		return false, fmt.Errorf("cannot begin a savepoint: %w", err)
	}
	t := g.newTx()
	w.result, w.err = w.call(t)
	if w.err == nil && w.id != "" {
		w.err = g.keep(w)
	}
	if w.err != nil {
		w.result = nil
		if _, err := g.conn.exec(sqlUndo); err != nil {
			return false, fmt.Errorf("cannot undo a failed write (%w): %w", w.err, err)
		}
	}
	if _, err := g.conn.exec(sqlRelease); err != nil {
		return false, fmt.Errorf("cannot end a savepoint: %w", err)
	}
	if w.err != nil {
		return false, nil
	}
	g.catalog = t.catalog
	g.changes = append(g.changes, t.changes...)
	return true, nil
}

// known finds the result that an earlier write with the same id left.
func (g *group) known(w *write) (bool, error) {
	result, found, err := g.conn.kept(w.id, g.now())
	if found {
		w.result = result
	}
	return found, err
}

// kept returns the result that a write with an id has left, and whether there is one.
func (c *conn) kept(id string, now time.Time) (result []byte, found bool, err error) {
	err = c.each(sqlKept, 1, []any{id, now.UnixMilli()}, func(row []driver.Value) error {
		result, _ = row[0].([]byte)
		found = true
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("cannot look a write id up: %w", err)
	}
	return result, found, nil
}

func (g *group) keep(w *write) error {
	if _, err := g.conn.exec(sqlKeep, w.id, w.result, g.now().Add(g.store.options.WriteIDTTL).UnixMilli()); err != nil {
		return fmt.Errorf("cannot store the write id: %w", err)
	}
	return nil
}

// commit announces the changes and commits.
func (g *group) commit() (err error) {
	g.version.commits++
	g.version.schema = g.catalog.schema.Version
	if _, err := g.conn.exec(sqlState, int64(g.version.commits), int64(g.version.schema)); err != nil {
		return fmt.Errorf("cannot count the commit: %w", err)
	}
	if now := g.now(); now.Sub(g.swept) >= sweepEvery {
		g.swept = now
		if _, err := g.conn.exec(sqlSweep, now.UnixMilli()); err != nil {
			return fmt.Errorf("cannot delete expired write ids: %w", err)
		}
	}
	finish, err := g.announce()
	if err != nil {
		return fmt.Errorf("cannot announce the changes: %w", err)
	}
	if _, err = g.conn.exec(sqlCommit); err != nil {
		finish(false)
		return fmt.Errorf("cannot commit: %w", err)
	}
	g.open = false
	g.state = g.version
	g.store.remember(g.catalog)
	finish(true)
	g.tidy()
	return nil
}

func (g *group) announce() (finish func(bool), err error) {
	finish = func(bool) {}
	if g.store.options.Announcer == nil || len(g.changes) == 0 {
		return finish, nil
	}
	for i := range g.changes {
		g.changes[i].App = g.store.options.App
		g.changes[i].Version = g.version.commits
	}
	ctx, cancel := context.WithTimeout(context.Background(), g.store.options.AnnounceTimeout)
	defer cancel()
	// The announcer may keep what it is told, the next group reuses the slice.
	told := append([]change.Change(nil), g.changes...)
	if finish, err = g.store.options.Announcer.Prepare(ctx, told); err != nil {
		return nil, err
	}
	return finish, nil
}

// tidy keeps the write-ahead log from growing for ever.
func (g *group) tidy() {
	if g.commits++; g.commits%64 != 0 {
		return
	}
	if info, err := os.Stat(g.store.location.path + "-wal"); err == nil && info.Size() > maxWAL {
		// A reader that takes its time must not hold all writers up; the next one may try again.
		_ = g.conn.script("PRAGMA busy_timeout(100); PRAGMA wal_checkpoint(TRUNCATE); PRAGMA busy_timeout(10000)")
	}
}

// end closes the transaction if it is open still, passes the turn on and answers everyone.
func (g *group) end() {
	g.close()
	for _, w := range g.members {
		w.answer(w.err)
	}
	g.members = g.members[:0]
}

// fail undoes the group and answers everyone with the error.
func (g *group) fail(err error) {
	g.close()
	for _, w := range g.members {
		if w.err == nil {
			w.err = err // also of a repeated write: the first one may have been in this group
		}
		w.answer(w.err)
	}
	g.members = g.members[:0]
}

func (g *group) close() {
	if g.open {
		g.open = false
		_, _ = g.conn.exec(sqlRollback)
		// What the group did to the schema is undone too. The version alone doesn't tell: another process may have
		// committed one by the same number.
		g.catalog = g.store.catalog.Load()
	}
	if g.turn {
		g.turn = false
		g.store.turn.leave()
	}
}
