package decoding

import (
	"errors"
	"fmt"

	"github.com/jackc/pglogrepl"

	"github.com/parsescale/parsescale/server/change"
)

// errStream: the log told something that makes no sense.
var errStream = errors.New("cannot understand the database's log")

const (
	// maxChanges and maxBytes bound what is kept of one transaction; past either, it counts as having changed the whole
	// of its classes.
	maxChanges = 10_000
	maxBytes   = 64 << 20
)

// transaction is one committed transaction, as the log tells it.
type transaction struct {
	xid     uint32
	changes []change.Change
	bytes   int
	whole   map[string]bool // not nil: it became too large, and these are its classes
	schema  bool            // it changed _SCHEMA: there may be new tables
}

func (t *transaction) add(c change.Change) {
	if t.whole != nil {
		t.whole[c.Class] = true
		return
	}
	t.changes = append(t.changes, c)
	if len(t.changes) > maxChanges || t.bytes > maxBytes {
		t.whole = map[string]bool{}
		for i := range t.changes {
			t.whole[t.changes[i].Class] = true
		}
		t.changes = nil
	}
}

// result is what an Applier is to be told.
func (t *transaction) result() []change.Change {
	for class := range t.whole {
		t.changes = append(t.changes, change.Change{Class: class, Kind: change.Purge})
	}
	return t.changes
}

// decoder makes changes of the messages of the log. It is used by one goroutine.
type decoder struct {
	app       string
	namespace string // the schema that has the app's tables
	classes   classes
	tables    map[uint32]*table
	open      *transaction // nil between transactions
}

// parse reads a message. The library trusts lengths within a message.
func parse(data []byte) (m pglogrepl.Message, err error) {
	defer func() {
		if r := recover(); r != nil {
			m, err = nil, fmt.Errorf("%w: a message ends early", errStream)
		}
	}()
	if len(data) == 0 {
		return nil, fmt.Errorf("%w: an empty message", errStream)
	}
	if m, err = pglogrepl.Parse(data); err != nil {
		return nil, fmt.Errorf("%w: %w", errStream, err)
	}
	return m, nil
}

// take takes one message in. It returns a transaction when the message is its end.
func (d *decoder) take(m pglogrepl.Message, size int) (*transaction, error) {
	switch m := m.(type) {
	case *pglogrepl.BeginMessage:
		d.open = &transaction{xid: m.Xid}
		return nil, nil
	case *pglogrepl.CommitMessage:
		t := d.open
		if t == nil {
			return nil, fmt.Errorf("%w: the end of a transaction without its beginning", errStream)
		}
		d.open = nil
		return t, nil
	case *pglogrepl.RelationMessage:
		d.relation(m)
		return nil, nil
	case *pglogrepl.InsertMessage:
		return nil, d.row(m.RelationID, size, rowChange{kind: change.Create, after: m.Tuple})
	case *pglogrepl.UpdateMessage:
		return nil, d.row(m.RelationID, size, rowChange{
			change.Update, m.OldTuple, m.NewTuple, m.OldTupleType == pglogrepl.UpdateMessageTupleTypeOld,
		})
	case *pglogrepl.DeleteMessage:
		return nil, d.row(m.RelationID, size, rowChange{
			change.Delete, m.OldTuple, nil, m.OldTupleType == pglogrepl.DeleteMessageTupleTypeOld,
		})
	case *pglogrepl.TruncateMessage:
		return nil, d.truncate(m)
	}
	return nil, nil // types and origins tell nothing of use
}
