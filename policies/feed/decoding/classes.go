package decoding

import (
	"fmt"
	"strings"

	"github.com/parsescale/parsescale/server/query"
)

const (
	schemaTable = "_SCHEMA"
	joinPrefix  = "_Join:"
)

// field is as much of a field's type as its column doesn't tell.
type field struct{ kind, target string }

// classes are the fields of the classes, as _SCHEMA has them.
type classes map[string]map[string]field

// parseClass reads the column "schema" of a row of _SCHEMA.
func parseClass(name string, schema []byte) (map[string]field, error) {
	v, err := query.Decode(schema)
	if err != nil {
		return nil, fmt.Errorf("cannot read the schema of class %s: %w", name, err)
	}
	top, _ := v.(map[string]any)
	stored, _ := top["fields"].(map[string]any)
	fields := make(map[string]field, len(stored))
	for n, f := range stored {
		m, _ := f.(map[string]any)
		var out field
		out.kind, _ = m["type"].(string)
		out.target, _ = m["targetClass"].(string)
		fields[n] = out
	}
	return fields, nil
}

// relations are the names of a class's relation fields: their members are rows of other tables.
func relations(fields map[string]field) []string {
	var names []string
	for name, f := range fields {
		if f.kind == "Relation" {
			names = append(names, name)
		}
	}
	return names
}

func joinTable(key, class string) string { return joinPrefix + key + ":" + class }

// kind says what the rows of a table are.
type kind uint8

const (
	other kind = iota // nothing of Parse's
	objects
	members // of a relation
	schemas
)

// column is one column of a table.
type column struct {
	name string
	oid  uint32 // of its type
}

// table is what the log tells of a table before its first row.
type table struct {
	name    string
	kind    kind
	columns []column
}

// kindOf tells the kind of a table of the app's namespace. Every class has a table with objectId, whether _SCHEMA has a
// row for it or not.
func kindOf(name string, columns []column) kind {
	switch {
	case name == schemaTable:
		return schemas
	case strings.HasPrefix(name, joinPrefix):
		return members
	}
	for _, c := range columns {
		if c.name == "objectId" {
			return objects
		}
	}
	return other
}
