package decoding

import (
	"fmt"

	"github.com/jackc/pglogrepl"

	"github.com/parsescale/parsescale/server/change"
)

// rowChange is what the log tells of one changed row.
type rowChange struct {
	kind change.Kind
	// before has the key's columns if the key changed or the row is gone; all columns if whole.
	before, after *pglogrepl.TupleData
	whole         bool
}

// relation takes in the columns of a table. The log tells them before the table's first row, and again when they changed.
func (d *decoder) relation(m *pglogrepl.RelationMessage) {
	t := &table{name: m.RelationName, columns: make([]column, len(m.Columns))}
	for i, c := range m.Columns {
		t.columns[i] = column{c.Name, c.DataType}
	}
	if m.Namespace == d.namespace {
		t.kind = kindOf(t.name, t.columns)
	}
	d.tables[m.RelationID] = t
}

// row takes in one changed row.
func (d *decoder) row(relation uint32, size int, r rowChange) error {
	t := d.tables[relation]
	if t == nil || d.open == nil {
		return fmt.Errorf("%w: a row of an unknown table, or outside a transaction", errStream)
	}
	for _, tuple := range [...]*pglogrepl.TupleData{r.before, r.after} {
		if tuple != nil && len(tuple.Columns) != len(t.columns) {
			return fmt.Errorf("%w: a row with other columns than its table", errStream)
		}
	}
	d.open.bytes += size
	switch t.kind {
	case objects:
		d.object(t, r)
	case members:
		d.member(t, r)
	case schemas:
		return d.schema(t, r)
	}
	return nil
}

// object adds the change of an object. Where the log doesn't tell the whole row before, the change has no Before, which
// means that it isn't known.
func (d *decoder) object(t *table, r rowChange) {
	c := change.Change{App: d.app, Class: t.name, Kind: r.kind}
	before, _ := t.text(r.before, "objectId")
	after, _ := t.text(r.after, "objectId")
	if r.whole {
		c.Before = d.image(t, r.before, nil)
	}
	if r.after != nil {
		c.After = d.image(t, r.after, r.before)
	}
	switch {
	case r.kind == change.Delete:
		c.ObjectID = before
	case r.kind == change.Update && before != "" && before != after:
		// To whoever knew the object by its id, it is gone, and another one has come.
		d.open.add(change.Change{App: d.app, Class: t.name, Kind: change.Delete, ObjectID: before, Before: c.Before})
		c.Kind, c.ObjectID, c.Before = change.Create, after, nil
	default:
		c.ObjectID = after
	}
	d.open.add(c)
}

// member adds the change of a relation's membership. Both of its columns are the key, so the log always tells them; what
// it tells as an update that leaves the key alone may be a member's first row as well as its second.
func (d *decoder) member(t *table, r rowChange) {
	for _, side := range [...]struct {
		kind  change.Kind
		tuple *pglogrepl.TupleData
	}{{change.Delete, r.before}, {change.Create, r.after}} {
		if side.tuple == nil {
			continue
		}
		owning, okOwning := t.text(side.tuple, "owningId")
		related, okRelated := t.text(side.tuple, "relatedId")
		c := change.Change{App: d.app, Class: t.name, Kind: side.kind}
		if okOwning && okRelated {
			image := &change.Image{Fields: map[string]any{"owningId": owning, "relatedId": related}}
			if side.kind == change.Delete {
				c.Before = image
			} else {
				c.After = image
			}
		}
		d.open.add(c)
	}
}

// schema takes in a class that was made, changed or given up, and adds that everything in it may have changed, its
// relations included.
func (d *decoder) schema(t *table, r rowChange) error {
	d.open.schema = true
	tuple := r.after
	if tuple == nil {
		tuple = r.before
	}
	class, ok := t.text(tuple, "className")
	if !ok {
		return fmt.Errorf("%w: a class without a name", errStream)
	}
	old := d.classes[class]
	if r.after == nil {
		delete(d.classes, class)
	} else if text, ok := t.text(r.after, "schema"); ok {
		fields, err := parseClass(class, []byte(text))
		if err != nil {
			return fmt.Errorf("%w: %w", errStream, err)
		}
		d.classes[class] = fields
	}
	d.open.add(change.Change{App: d.app, Class: class, Kind: change.Schema})
	for _, fields := range [...]map[string]field{old, d.classes[class]} {
		for _, key := range relations(fields) {
			d.open.add(change.Change{App: d.app, Class: joinTable(key, class), Kind: change.Schema})
		}
	}
	return nil
}

// truncate adds that whole classes are empty.
func (d *decoder) truncate(m *pglogrepl.TruncateMessage) error {
	if d.open == nil {
		return fmt.Errorf("%w: a truncation outside a transaction", errStream)
	}
	for _, relation := range m.RelationIDs {
		switch t := d.tables[relation]; {
		case t == nil:
			return fmt.Errorf("%w: the truncation of an unknown table", errStream)
		case t.kind == schemas:
			clear(d.classes)
			d.open.add(change.Change{App: d.app, Kind: change.Purge})
		case t.kind != other:
			d.open.add(change.Change{App: d.app, Class: t.name, Kind: change.Purge})
		}
	}
	return nil
}

// text returns a column's text; false if the row has no such column, or doesn't tell it.
func (t *table) text(tuple *pglogrepl.TupleData, name string) (string, bool) {
	if tuple == nil {
		return "", false
	}
	for i := range t.columns {
		if t.columns[i].name == name && tuple.Columns[i].DataType == pglogrepl.TupleDataTypeText {
			return string(tuple.Columns[i].Data), true
		}
	}
	return "", false
}

// image makes the image of an object. A large value that an update leaves alone isn't told again; it may be in the old
// row.
func (d *decoder) image(t *table, row, old *pglogrepl.TupleData) *change.Image {
	fields := d.classes[t.name]
	values := make(map[string]any, len(t.columns))
	untold := relations(fields)
	for i, c := range t.columns {
		v := row.Columns[i]
		if v.DataType == pglogrepl.TupleDataTypeToast && old != nil && old.Columns[i].DataType == pglogrepl.TupleDataTypeText {
			v = old.Columns[i]
		}
		switch v.DataType {
		case pglogrepl.TupleDataTypeNull:
			continue // no such field
		case pglogrepl.TupleDataTypeText:
			if value, ok := decodeColumn(c.oid, fieldOf(fields, c.name), v.Data); ok {
				values[c.name] = value
				continue
			}
		}
		untold = append(untold, c.name)
	}
	image := change.NewImage(t.name, values, untold...)
	if fields == nil {
		image.Partial = true // whatever the class has
	}
	return image
}

// fieldOf is the type of a column's field. Every object has some fields, whether _SCHEMA lists them or not.
func fieldOf(fields map[string]field, name string) field {
	if f, ok := fields[name]; ok {
		return f
	}
	if name == "objectId" {
		return field{kind: "String"}
	}
	return field{}
}
