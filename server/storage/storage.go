// Package storage is the one interface between the worker and its database: consistent snapshots to read from and
// transactions to write in, over objects whose classes are described by package schema.
//
// The layout is parse-server's on PostgreSQL (one table per class, one column per field, _SCHEMA, _Join tables), on
// SQLite through another dialect of the same SQL builder. It decides nothing about permissions: whoever calls it passes
// the readers an object must admit. It must not know of HTTP.
package storage

import (
	"context"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
)

// Object is a row: values of package query by column name. objectId is a string, createdAt and updatedAt are
// query.Dates, _rperm and _wperm are []any of strings (absent: public), a Pointer is a query.Pointer, a File has its
// name alone. Columns that are NULL are absent. Relations have no column.
type Object map[string]any

// Store is a database of one app. All methods are safe for concurrent use.
type Store interface {
	// Read calls f with a consistent snapshot. It is not older than the last commit that any process finished before
	// Read was called. f may be called again, with another snapshot, after a change of the schema or a lost connection:
	// then what it did before is to be forgotten, so it has no effect but on what it sets anew each time.
	Read(ctx context.Context, f func(Snapshot) error) error
	// Write calls f in a transaction of its own (writes that come together may share one commit, each with its own
	// savepoint) and returns once it is durable; if f returns an error, nothing of it is kept and that error is
	// returned. f may be called again after a conflict, so it has no effect but on tx. Before the commit the changes
	// f emitted are announced (see Announcer).
	//
	// With an id, f's result is stored in the same transaction. If a write with that id was committed before, f's
	// effects are undone, or f isn't called at all, and the stored result is returned with repeated = true. Ids are kept
	// for a few minutes. An id of "" means none.
	Write(ctx context.Context, id string, f func(tx Tx) (result []byte, err error)) (result []byte, repeated bool, err error)
	// Written returns the stored result of the write with an id, and whether there is one: whether that write was
	// committed, and not longer ago than ids are kept.
	Written(ctx context.Context, id string) (result []byte, found bool, err error)
	// Close waits for what runs and closes the database.
	Close() error
}

// Snapshot is one consistent state of the database. It is used by one goroutine.
type Snapshot interface {
	Analyst
	// Schema returns all classes. It is shared: callers don't change it.
	Schema(ctx context.Context) (*schema.Schema, error)
	// Find calls each for every object asked for, in order. The Row is valid during the call only; each asks the snapshot
	// nothing: not every database can answer while it still sends rows.
	// A class without a table has no objects.
	Find(ctx context.Context, f *Find, each func(Row) error) error
	// Count returns how many objects satisfy f.Where and f.Readers; order, limit and skip play no part.
	Count(ctx context.Context, f *Find) (int64, error)
	// Get returns one object by its id, or nil. No permission is checked.
	Get(ctx context.Context, class *schema.Class, objectID string) (Object, error)
	// Owners returns the owning ids of a join table's rows whose relatedId is one of related.
	Owners(ctx context.Context, class, field string, related []string) ([]string, error)
	// Members returns the related ids of a join table's rows whose owningId is owner.
	Members(ctx context.Context, class, field, owner string) ([]string, error)
}

// Find says which objects, and which of their columns.
type Find struct {
	Schema *schema.Schema
	Class  *schema.Class
	Where  query.Expr
	// Readers is what the caller is ("*", user id, "role:X" …): only objects whose _rperm is absent or holds one of
	// these are seen, also in sub-queries. Nil: no such check (master key).
	Readers []string
	Order   []query.Sort
	Limit   int // negative: no limit
	Skip    int
	// Columns to read; nil: all. objectId is always read.
	Columns []string
	// Score adds how well an object matches the first $text of Where, as a member "score" of each Row. An order by
	// "$score" sorts by it, the best first; without Score such an order, like one by a field "score" that isn't there,
	// finds nothing, as on PostgreSQL.
	Score bool
	// Last says that nothing else will be asked of the snapshot, so that it may end with the answer. A question that is
	// asked all the same costs: the whole Read begins anew.
	Last bool
	// CaseInsensitive compares strings in Where's equalities by LOWER(column) = LOWER(value), the expression that
	// parse-server's case_insensitive_username and case_insensitive_email indexes hold. For uniqueness checks.
	CaseInsensitive bool
	// Exclusive has others who ask so in a transaction, for one of the texts that Where compares with, wait until this
	// transaction ends: what is looked for, and made if it isn't there, is to be unique, and no index keeps it so.
	// CaseInsensitive includes it.
	Exclusive bool
}

// ScoreColumn is the name, among the columns of a Row's Object, of how well it matches the $text of a Find with Score.
const ScoreColumn = "$score"

// Row is the current object of a Find.
type Row interface {
	// ObjectID returns the object's id.
	ObjectID() string
	// AppendJSON appends the object in the REST API's form, straight from the driver's values.
	AppendJSON(dst []byte, s *Shape) []byte
	// Public reports whether everybody may read the object; false too if its _rperm wasn't read.
	Public() bool
	// Object decodes the row.
	Object() (Object, error)
}

// Shape says how a row is shown. The zero value shows every public column.
// Columns whose name starts with "_" are never shown, except that _rperm and _wperm become ACL.
type Shape struct {
	// Keep, if not nil, names the only fields to show; objectId, createdAt, updatedAt and ACL are shown regardless.
	Keep map[string]bool
	// Hide names fields not to show.
	Hide map[string]bool
	// Embedded adds "__type":"Object" and "className".
	Embedded bool
	// FileURL appends the URL of a stored file, unquoted and safe within a JSON string. Nil: files have no URL.
	FileURL func(dst []byte, name string) []byte
	// Extra, if not nil, is called before the closing brace to append further members (each preceded by a comma).
	Extra func(dst []byte) []byte
	// Pointer, if not nil, is asked for every Pointer column: it appends the value to show instead. With ok false the
	// field is left out.
	Pointer func(dst []byte, field string, p query.Pointer) (out []byte, ok bool)
}

// Tx is a transaction. It sees its own writes. After an error other than ErrNotFound and *Unsupported, a *Duplicate for
// one, it can't be committed any more.
type Tx interface {
	Snapshot
	// Lock is Get for an object about to be changed: nobody else changes it until the transaction ends.
	Lock(ctx context.Context, class *schema.Class, objectID string) (Object, error)
	// Insert stores a new object. A violated unique index is a *Duplicate.
	Insert(ctx context.Context, class *schema.Class, o Object) error
	// Update sets the columns in set of one object; a nil value sets NULL.
	Update(ctx context.Context, class *schema.Class, objectID string, set Object) error
	// Delete removes one object.
	Delete(ctx context.Context, class *schema.Class, objectID string) error
	// Link and Unlink add members to and remove them from a relation; what is there, or gone, already is no error.
	// They return the ids that made a difference.
	Link(ctx context.Context, class, field, owner string, related []string) ([]string, error)
	Unlink(ctx context.Context, class, field, owner string, related []string) ([]string, error)
	// LockSchema is Schema for classes about to be changed by AlterClass or DropClass: what it returns is not older than
	// any change that was committed, and nobody else changes a class until the transaction ends.
	LockSchema(ctx context.Context) (*schema.Schema, error)
	// LockClass has nobody else change the objects of a class until the transaction ends: what is counted stays so.
	LockClass(ctx context.Context, class *schema.Class) error
	// PutClass creates the class, or adds to the stored one the fields, indexes and permissions it lacks or has
	// differently; tables, join tables and columns follow, new columns in the order of class.Columns, then by name.
	// Nothing is dropped, and a field that is stored with another type keeps it. It returns the class as stored.
	PutClass(ctx context.Context, class *schema.Class) (*schema.Class, error)
	// AlterClass stores a class that exists exactly as it is given: the fields and indexes that it lacks are dropped with
	// their data, what is new is added as by PutClass, permissions are replaced. A field keeps its type.
	AlterClass(ctx context.Context, class *schema.Class) (*schema.Class, error)
	// DropClass removes the class, its table and the join tables of its relations. One that isn't there is no error.
	DropClass(ctx context.Context, name string) error
	// Purge removes every object of the class.
	Purge(ctx context.Context, class *schema.Class) error
	// Emit adds a change to what is announced before the commit. App and Version are filled in by the store.
	Emit(c change.Change)
	// Last says that the next Insert, Update or Delete, of an object that was locked, ends the transaction: nothing is asked
	// nor changed after it, so that it may go to the database together with the commit. What is wrong with it, a *Duplicate
	// for one, may then be the error of Write instead of its own. The id of an object inserted so was never used before.
	Last()
}

// Announcer is told of every change before it is committed. It is the two-phase side of the change feed.
type Announcer interface {
	// Prepare returns once everyone who must know has applied the changes; the caller then commits and calls
	// finish with whether it did (false also when the commit failed). An error means: don't commit.
	Prepare(ctx context.Context, changes []change.Change) (finish func(committed bool), err error)
}
