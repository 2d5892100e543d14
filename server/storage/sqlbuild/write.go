package sqlbuild

import (
	"fmt"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// Insert builds the INSERT of a new object. The columns come in the order of the class, so that objects with the same
// fields share a statement.
func (b *Builder) Insert(d Dialect, class *schema.Class, o storage.Object) error {
	return b.insert(d, class, o, "VALUES (", ")")
}

// InsertFrom builds an INSERT whose row is selected from a table of one row, so that it may depend on that.
func (b *Builder) InsertFrom(d Dialect, class *schema.Class, o storage.Object, from string) error {
	return b.insert(d, class, o, "SELECT ", " FROM "+from)
}

func (b *Builder) insert(d Dialect, class *schema.Class, o storage.Object, before, after string) error {
	b.Reset(d)
	b.Raw("INSERT INTO ")
	b.SQL = d.AppendTable(b.SQL, class.Name)
	b.Raw(" (")
	n := 0
	for _, name := range class.Columns {
		if o[name] == nil {
			continue
		}
		if n > 0 {
			b.Raw(",")
		}
		n++
		b.SQL = d.AppendColumn(b.SQL, class.Name, name)
	}
	if n == 0 {
		return fmt.Errorf("cannot insert an object without fields into %s", class.Name)
	}
	b.Raw(") ")
	b.Raw(before)
	for _, name := range class.Columns {
		v := o[name]
		if v == nil {
			continue
		}
		if len(b.Args) > 0 {
			b.Raw(",")
		}
		if err := b.value(class, name, v); err != nil {
			return err
		}
	}
	b.Raw(after)
	return checkColumns(class, o, n)
}

// Update builds the UPDATE of one object.
func (b *Builder) Update(d Dialect, class *schema.Class, objectID string, set storage.Object) error {
	b.Reset(d)
	b.Raw("UPDATE ")
	b.SQL = d.AppendTable(b.SQL, class.Name)
	b.Raw(" SET ")
	n, found := 0, 0
	for _, name := range class.Columns {
		v, ok := set[name]
		if !ok {
			continue
		}
		if n > 0 {
			b.Raw(",")
		}
		n++
		b.SQL = d.AppendColumn(b.SQL, class.Name, name)
		b.Raw("=")
		if v == nil {
			b.Raw("NULL")
			continue
		}
		found++
		if err := b.value(class, name, v); err != nil {
			return err
		}
	}
	if n == 0 {
		return fmt.Errorf("cannot update an object of %s: no fields to set", class.Name)
	}
	b.Raw(` WHERE "objectId"=`)
	b.Arg(schema.String, objectID)
	return checkColumns(class, set, found)
}

// value binds v for its column.
func (b *Builder) value(class *schema.Class, name string, v any) error {
	f, _ := class.Column(name)
	arg, ok := b.dialect.Encode(f, v)
	if got, known := schema.Infer(v); !ok && known && got.Type == f.Type {
		return &storage.Unsupported{Code: codeInvalidJSON, Message: "The database can't store the value of " + name}
	}
	if !ok {
		return fmt.Errorf("cannot store a value of type %T in %s.%s, which is a %s", v, class.Name, name, f)
	}
	b.Arg(f.Type, arg)
	return nil
}

// checkColumns makes sure that the class had a column for every value: found of them did.
func checkColumns(class *schema.Class, o storage.Object, found int) error {
	values := 0
	for _, v := range o {
		if v != nil {
			values++
		}
	}
	if values == found {
		return nil
	}
	for name := range o {
		if _, ok := class.Column(name); !ok && o[name] != nil {
			return fmt.Errorf("cannot store %s.%s: the class has no such column; put the class first", class.Name, name)
		}
	}
	return nil
}

// ByID appends the SELECT of columns of the object with the id, which is bound by the caller as the only argument.
func (b *Builder) ByID(d Dialect, class *schema.Class, columns []string) {
	b.Reset(d)
	b.Raw("SELECT ")
	for i, c := range columns {
		if i > 0 {
			b.Raw(",")
		}
		b.SQL = d.AppendColumn(b.SQL, class.Name, c)
	}
	b.Raw(" FROM ")
	b.SQL = d.AppendTable(b.SQL, class.Name)
	b.Raw(` WHERE "objectId"=`)
	b.SQL = d.AppendPlaceholder(b.SQL, 1, schema.String)
}

// Delete appends the DELETE of the object with the id, which is bound by the caller as the only argument.
func (b *Builder) Delete(d Dialect, class *schema.Class) {
	b.Reset(d)
	b.Raw("DELETE FROM ")
	b.SQL = d.AppendTable(b.SQL, class.Name)
	b.Raw(` WHERE "objectId"=`)
	b.SQL = d.AppendPlaceholder(b.SQL, 1, schema.String)
}

// CloseRing returns the polygon's vertices with the first one repeated at the end, as they are stored.
func CloseRing(p query.Polygon) query.Polygon {
	n := len(p.Coordinates)
	if n == 0 || p.Coordinates[0] == p.Coordinates[n-1] {
		return p
	}
	ring := make([][2]float64, 0, n+1)
	return query.Polygon{Coordinates: append(append(ring, p.Coordinates...), p.Coordinates[0])}
}
