package rowjson

import (
	"slices"
	"strings"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// kind is how a column's values are shown.
type kind uint8

const (
	kindPlain kind = iota // as Values shows them
	kindTime              // createdAt and updatedAt: a plain string
	kindDate              // any other date
	kindPointer
	kindFile
)

// Column is what showing a column needs.
type Column struct {
	Name  string
	Field schema.Field

	kind     kind
	internal bool
	prefix   string // "name":
	suffix   string // of a pointer: what follows its id
}

// Plan is how the rows of a class are read and shown.
type Plan struct {
	// Names are those of the columns, in the order of the SELECT.
	Names []string
	// Columns go with Names.
	Columns []Column

	relations   []Column // prefix is the whole member
	objectID    int
	read, write int    // indexes of _rperm and _wperm; -1: not read
	embedded    string // "__type":"Object","className":"…"
}

// NewPlan returns the plan for all columns of the class.
func NewPlan(class *schema.Class) *Plan {
	p := &Plan{embedded: `"__type":"Object","className":` + json(class.Name)}
	for _, name := range class.Columns {
		if f, ok := class.Column(name); ok {
			p.add(newColumn(name, f))
		}
	}
	for _, name := range class.FieldNames() {
		if f := class.Fields[name]; f.Type == schema.Relation {
			p.relations = append(p.relations, Column{Name: name, Field: f, prefix: json(name) + ":" + json(query.Relation{ClassName: f.TargetClass})})
		}
	}
	p.finish()
	return p
}

func json(v any) string { return string(query.AppendJSON(nil, v)) }

func newColumn(name string, f schema.Field) Column {
	c := Column{Name: name, Field: f, internal: strings.HasPrefix(name, "_"), prefix: json(name) + ":"}
	switch f.Type {
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
	}
	return c
}

func (p *Plan) add(c Column) {
	p.Names = append(p.Names, c.Name)
	p.Columns = append(p.Columns, c)
}

// Scored returns the plan that also reads how well an object matches a text.
func (p *Plan) Scored() *Plan {
	out := *p
	out.Names, out.Columns = slices.Clip(p.Names), slices.Clip(p.Columns)
	out.add(Column{Name: storage.ScoreColumn, Field: schema.Field{Type: schema.Number}, prefix: `"score":`})
	return &out
}

func (p *Plan) finish() {
	p.objectID, p.read, p.write = slices.Index(p.Names, "objectId"), slices.Index(p.Names, "_rperm"), slices.Index(p.Names, "_wperm")
}

// Choose returns the plan that reads the named columns only, and objectId. "ACL" stands for both its columns; what the
// class doesn't have is passed over.
func (p *Plan) Choose(names []string) *Plan {
	out := &Plan{relations: p.relations, embedded: p.embedded}
	take := func(name string) {
		if i := slices.Index(p.Names, name); i >= 0 && !slices.Contains(out.Names, name) {
			out.add(p.Columns[i])
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
