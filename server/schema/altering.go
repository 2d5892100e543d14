package schema

import "maps"

// Altering returns what becomes of a class as it is stored when it is made what c says: a field that is there keeps its
// form where it takes the values of c's.
func (c *Class) Altering(stored *Class) *Class {
	next := &Class{Name: c.Name, Fields: maps.Clone(c.Fields), Permissions: c.Permissions, Indexes: maps.Clone(c.Indexes)}
	for name, f := range stored.Fields {
		if got, ok := next.Fields[name]; ok && !f.Accepts(got) {
			next.Fields[name] = f
		}
	}
	return next
}
