package postgres

import (
	"context"
	"errors"
	"sync"

	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/rowjson"
	"github.com/parsescale/parsescale/server/storage/sqlbuild"
)

// snapshot asks questions on a connection. The first one brings the transaction's BEGIN with it, and the version of the
// schema is asked for in the same round trip: if it isn't that of the catalog, all that came of the snapshot is worth
// nothing, and whoever made it starts again.
type snapshot struct {
	// conn is nil until the first question needs it, and then what take returns. A question that may be asked together with
	// those of others goes without: so does a snapshot of which nothing is asked.
	conn *conn
	take func() (*conn, error)
	// sharing, if not nil, lets the only question be asked together with those of others.
	sharing *Store
	built   *sqlbuild.Builder // nil until the first statement is built
	catalog *catalog
	first   func()       // queues what goes before the first statement; nil once that was done
	begun   func() error // reads the answers to that
	// before queues a question that is answered, to passed, before all others; nil: there is none.
	before  func()
	passed  func() error
	writing bool
	checked bool // the catalog is the right one
	open    bool // a transaction was begun
	ending  bool // the next question is the last one
	over    bool // the last question was asked
	patient bool // a question that is said to be the last one isn't believed to be
	asking  bool // rows are being read

	// failed is the first error of the database; nothing is asked after it.
	failed error
}

var errAsking = errors.New("cannot ask the database while its rows are being read")

// errOver means that more was asked after the last question.
var errOver = errors.New("the snapshot has ended")

// errStale means that the catalog isn't that of the snapshot.
var errStale = errors.New("the schema has changed")

// Schema implements storage.Snapshot.
func (s *snapshot) Schema(context.Context) (*schema.Schema, error) { return s.catalog.schema, nil }

// ask sends statements, queued by send, and leaves the rows of the first to be read.
func (s *snapshot) ask(send func()) error {
	if err := s.connect(); err != nil {
		return err
	}
	if s.first != nil {
		if s.before != nil {
			s.before()
		}
		s.first()
		s.open = !s.ending
	}
	send()
	if !s.checked {
		s.conn.send(sqlVersion, nil)
	}
	if s.over = s.ending; s.over && s.open {
		s.conn.send(sqlCommit, nil)
	}
	if err := s.conn.sync(); err != nil {
		return s.fail(err)
	}
	s.asking = true
	if s.first != nil {
		s.first = nil
		if s.before != nil {
			if err := s.passed(); err != nil {
				return s.fail(err)
			}
		}
		if err := s.begun(); err != nil {
			return s.fail(err)
		}
	}
	return nil
}

// connect takes a connection, unless there is one, if a question may be asked now.
func (s *snapshot) connect() error {
	switch {
	case s.failed != nil:
		return s.failed
	case s.asking:
		return errAsking
	case s.over:
		return s.fail(errOver)
	case s.conn != nil:
		return nil
	}
	c, err := s.take()
	if err != nil {
		s.failed = err
		return err
	}
	s.conn = c
	return nil
}

// builders are those that no snapshot uses: they keep their memory.
var builders = sync.Pool{New: func() any { return new(sqlbuild.Builder) }}

// builder returns the snapshot's, unless a statement that waits for the commit was built with it: whoever asks
// more after the last change must begin again, before anything of that is overwritten.
func (s *snapshot) builder() (*sqlbuild.Builder, error) {
	if s.over && s.writing {
		return nil, s.fail(errOver)
	}
	if s.built == nil {
		s.built = builders.Get().(*sqlbuild.Builder)
	}
	return s.built, nil
}

// release gives back what the snapshot was made with, once nothing more is asked of it.
func (s *snapshot) release() {
	if s.built != nil {
		builders.Put(s.built)
		s.built = nil
	}
}

// finish reads the answer to ask, without its rows.
func (s *snapshot) finish() error {
	if err := s.conn.rest(); err != nil {
		return s.fail(err)
	}
	return s.close()
}

// last has the next question be the last one. If it is the first one too, no transaction is needed: a statement sees one
// state of the database anyway. The version that is read after it is the one it saw: the catalog's is not younger than
// that, and versions only grow.
func (s *snapshot) last() {
	if s.first != nil {
		s.first, s.begun = func() {}, func() error { return nil }
	}
	s.ending = true
}

// check reads the version of the schema.
func (s *snapshot) check() error {
	version, known := uint64(0), false
	if err := s.conn.rows(func(row [][]byte) { version, known = uint64(bigint(row[0])), true }); err != nil {
		return err
	}
	if !known || version != s.catalog.schema.Version {
		return errStale
	}
	s.checked = true
	return nil
}

// fail notes an error, and reads what was sent beside the failed statement.
func (s *snapshot) fail(err error) error {
	s.asking = false
	if s.failed == nil {
		s.failed = err
	}
	if s.conn != nil {
		_ = s.conn.end()
	}
	return err
}

// settle makes sure that the catalog was the right one, although nothing may have been asked.
func (s *snapshot) settle() error {
	if s.failed != nil || s.checked {
		return s.failed
	}
	if !s.writing {
		s.last()
	}
	if err := s.connect(); err != nil {
		return err
	}
	if !s.writing {
		stop := s.conn.watch(context.Background())
		defer stop()
	}
	if err := s.ask(func() {}); err != nil {
		return err
	}
	return s.close()
}

// beside is a question that goes along with another one, and is answered after it.
type beside struct {
	sql []byte
	row func(row [][]byte)
}

// query runs a SELECT and calls each for its rows, which are valid during the call only.
func (s *snapshot) query(ctx context.Context, sql []byte, formats []int16, args []any, each func(row [][]byte) error, others ...beside) error {
	if !s.writing && ctx.Err() != nil {
		return s.fail(ctx.Err())
	}
	if err := s.connect(); err != nil {
		return err
	}
	if !s.writing { // what writes runs to its end, whatever its context says
		stop := s.conn.watch(ctx)
		defer stop()
	}
	err := s.ask(func() {
		s.conn.send(sql, formats, args...)
		for _, o := range others {
			s.conn.send(o.sql, nil)
		}
	})
	if err != nil {
		return err
	}
	var stopped error
	for {
		row, err := s.conn.row()
		if err != nil {
			return s.fail(err)
		}
		if row == nil {
			break
		}
		// After an error the rest is read all the same: it tells whether the schema was the right one.
		if stopped == nil {
			stopped = each(row)
		}
	}
	for _, o := range others {
		if err := s.conn.rows(o.row); err != nil {
			return s.fail(err)
		}
	}
	return errors.Join(stopped, s.close())
}

// close reads what is left of an answer after the last row.
func (s *snapshot) close() error {
	s.asking = false
	var err error
	if !s.checked {
		err = s.check()
	}
	if ended := s.conn.end(); err == nil {
		err = ended
	}
	if err != nil {
		return s.fail(err)
	}
	return nil
}

// Find implements storage.Snapshot.
func (s *snapshot) Find(ctx context.Context, f *storage.Find, each func(storage.Row) error) error {
	p := s.catalog.plan(f.Class)
	if f.Columns != nil {
		p = newPlan(p.Choose(f.Columns))
	}
	if f.Score {
		p = newPlan(p.Scored())
	}
	b, err := s.builder()
	if err != nil {
		return err
	}
	if err := b.Find(dialect{}, f, p.Names); err != nil || b.Empty {
		return err
	}
	v := &values{plan: p}
	row := rowjson.NewRow(p.Plan, v)
	var stopped error
	read := func(r [][]byte) error {
		v.row = r
		stopped = each(row)
		return stopped
	}
	if f.Last && !s.writing && !s.patient {
		err = s.askLast(f.Class, sqlbuild.ByID(f.Where), lookup{ctx: ctx, sql: b.SQL, formats: p.formats, args: b.Args, each: read})
	} else {
		err = s.query(ctx, b.SQL, p.formats, b.Args, read)
	}
	if stopped != nil || err == nil {
		return stopped
	}
	return queryError("find objects of "+f.Class.Name, err)
}

// Count implements storage.Snapshot.
func (s *snapshot) Count(ctx context.Context, f *storage.Find) (n int64, err error) {
	b, err := s.builder()
	if err != nil {
		return 0, err
	}
	if err := b.Count(dialect{}, f); err != nil || b.Empty {
		return 0, err
	}
	err = s.query(ctx, b.SQL, nil, b.Args, func(r [][]byte) error {
		n = bigint(r[0])
		return nil
	})
	if err != nil {
		return 0, queryError("count objects of "+f.Class.Name, err)
	}
	return n, nil
}

// Get implements storage.Snapshot.
func (s *snapshot) Get(ctx context.Context, class *schema.Class, objectID string) (storage.Object, error) {
	p := s.catalog.plan(class)
	return s.object(ctx, class, p, p.byID, objectID)
}

// object runs a SELECT of one object by its id.
func (s *snapshot) object(ctx context.Context, class *schema.Class, p *plan, sql []byte, objectID string, others ...beside) (o storage.Object, err error) {
	id, ok := encodeText(objectID, true)
	if len(p.Names) == 0 || !ok {
		return nil, nil
	}
	v := &values{plan: p}
	var failed error
	err = s.query(ctx, sql, p.formats, []any{id}, func(r [][]byte) error {
		v.row = r
		o, failed = rowjson.NewRow(p.Plan, v).Object()
		return failed
	}, others...)
	if failed != nil {
		return nil, failed
	}
	if err != nil {
		return nil, queryError("get an object of "+class.Name, err)
	}
	return o, nil
}
