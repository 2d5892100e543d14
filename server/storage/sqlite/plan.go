package sqlite

import (
	"slices"
	"strings"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/sqlbuild"
)

// kind is how a column's values are shown.
type kind uint8

const (
	kindPlain   kind = iota // strings and numbers
	kindBoolean             // 0 and 1
	kindTime                // createdAt and updatedAt: a plain string
	kindDate                // any other date
	kindJSON                // text that is shown as it is
	kindPointer
	kindFile
)

// column is what showing a column needs.
type column struct {
	name     string
	field    schema.Field
	kind     kind
	internal bool
	prefix   string // "name":
	suffix   string // of a pointer: what follows its id
}

// plan is how the rows of a class are read and shown: worked out once, so that a row costs no look-ups.
type plan struct {
	names       []string // of the columns, in the order of the SELECT
	columns     []column
	relations   []column // prefix is the whole member
	objectID    int
	read, write int    // indexes of _rperm and _wperm; -1: not read
	embedded    string // "__type":"Object","className":"…"
	byID        []byte // the SELECT of one object
}

// plan returns the plan for all columns of the class.
func (c *catalog) plan(class *schema.Class) *plan {
	if p, ok := c.plans.Load(class); ok {
		return p.(*plan)
	}
	p := &plan{embedded: `"__type":"Object","className":` + json(class.Name)}
	for _, name := range class.Columns {
		if f, ok := class.Column(name); ok {
			p.add(newColumn(name, f))
		}
	}
	for _, name := range class.FieldNames() {
		if f := class.Fields[name]; f.Type == schema.Relation {
			p.relations = append(p.relations, column{name: name, field: f, prefix: json(name) + ":" + json(query.Relation{ClassName: f.TargetClass})})
		}
	}
	p.finish()
	var b sqlbuild.Builder
	b.ByID(dialect{c}, class, p.names)
	p.byID = b.SQL
	// Only classes of this catalog are kept, so that the map doesn't grow with what callers make up.
	if c.schema.Classes[class.Name] == class {
		c.plans.Store(class, p)
	}
	return p
}

func newColumn(name string, f schema.Field) column {
	c := column{name: name, field: f, internal: strings.HasPrefix(name, "_"), prefix: json(name) + ":"}
	switch f.Type {
	case schema.Boolean:
		c.kind = kindBoolean
	case schema.Date:
		c.kind = kindDate
		if name == "createdAt" || name == "updatedAt" {
			c.kind = kindTime
		}
	case schema.Pointer:
		c.kind = kindPointer
		c.suffix = `,"__type":"Pointer","className":` + json(f.TargetClass) + "}"
	case schema.File:
		c.kind = kindFile
	case schema.String, schema.Number:
	default:
		c.kind = kindJSON
	}
	return c
}

func (p *plan) add(c column) {
	p.names = append(p.names, c.name)
	p.columns = append(p.columns, c)
}

// scored returns the plan that also reads how well an object matches a text.
func (p *plan) scored() *plan {
	out := *p
	out.names, out.columns = slices.Clip(p.names), slices.Clip(p.columns)
	out.add(column{name: storage.ScoreColumn, field: schema.Field{Type: schema.Number}, prefix: `"score":`})
	return &out
}

func (p *plan) finish() {
	p.objectID, p.read, p.write = p.index("objectId"), p.index("_rperm"), p.index("_wperm")
	p.objectID = max(p.objectID, 0)
}

func (p *plan) index(name string) int {
	for i, n := range p.names {
		if n == name {
			return i
		}
	}
	return -1
}

// choose returns the plan that reads the named columns only, and objectId. "ACL" stands for both its columns; what the
// class doesn't have is passed over.
func (p *plan) choose(names []string) *plan {
	out := &plan{relations: p.relations, embedded: p.embedded}
	take := func(name string) {
		if i := p.index(name); i >= 0 && out.index(name) < 0 {
			out.add(p.columns[i])
		}
	}
	for _, name := range names {
		if name == "ACL" {
			take("_rperm")
			take("_wperm")
			continue
		}
		take(name)
	}
	take("objectId")
	out.finish()
	return out
}
