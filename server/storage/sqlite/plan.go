package sqlite

import (
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage/rowjson"
	"github.com/parsescale/parsescale/server/storage/sqlbuild"
)

// plan is how the rows of a class are read and shown: worked out once.
type plan struct {
	*rowjson.Plan
	json []bool // which columns hold JSON
	byID []byte // the SELECT of one object
}

func newPlan(p *rowjson.Plan) *plan {
	out := &plan{Plan: p, json: make([]bool, len(p.Columns))}
	for i, c := range p.Columns {
		switch c.Field.Type {
		case schema.String, schema.Number, schema.Boolean, schema.Date, schema.Pointer, schema.File:
		default:
			out.json[i] = true
		}
	}
	return out
}

// plan returns the plan for all columns of the class.
func (c *catalog) plan(class *schema.Class) *plan {
	if p, ok := c.plans.Load(class); ok {
		return p.(*plan)
	}
	p := newPlan(rowjson.NewPlan(class))
	var b sqlbuild.Builder
	b.ByID(dialect{c}, class, p.Names)
	p.byID = b.SQL
	// Only classes of this catalog are kept, so that the map doesn't grow with what callers make up.
	if c.schema.Classes[class.Name] == class {
		c.plans.Store(class, p)
	}
	return p
}

// row returns the row that a cursor's values are shown as.
func (p *plan) row(cur cursor) *rowjson.Row {
	return rowjson.NewRow(p.Plan, &values{plan: p, row: cur.row})
}
