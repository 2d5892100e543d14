//nolint:revive,staticcheck // the messages are parse-server's, word for word
package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Schema holds schema: classes that are made or changed at start. The hooks beforeMigration and afterMigration are
// functions, which a configuration can't hold.
type Schema struct {
	// Definitions are the classes. Default: none.
	Definitions []ClassDefinition `json:"definitions,omitempty"`
	// Strict warns of classes and fields that the database has and no definition names. Default: false.
	Strict bool `json:"strict,omitempty"`
	// DeleteExtraFields drops the fields of a defined class, with their data, that its definition leaves out.
	// Default: false.
	DeleteExtraFields bool `json:"deleteExtraFields,omitempty"`
	// RecreateModifiedFields drops a field, with its data, that is defined with another type, and makes it anew.
	// Default: false.
	RecreateModifiedFields bool `json:"recreateModifiedFields,omitempty"`
	// LockSchemas refuses to make or change classes through the schema API. Default: false.
	LockSchemas bool `json:"lockSchemas,omitempty"`
	// KeepUnknownIndexes keeps the indexes of a defined class that its definition leaves out. Default: false.
	KeepUnknownIndexes bool `json:"keepUnknownIndexes,omitempty"`
}

// ClassDefinition is one class in the form of the schema API.
type ClassDefinition struct {
	// ClassName names the class. Required.
	ClassName string `json:"className"`
	// Fields are its fields beside those that it has anyway. Default: none.
	Fields json.RawMessage `json:"fields,omitempty"`
	// Indexes are its indexes. Default: none.
	Indexes json.RawMessage `json:"indexes,omitempty"`
	// ClassLevelPermissions say who may do what; what isn't granted is the master key's alone. Clients never may add
	// fields. Default: nothing is granted.
	ClassLevelPermissions json.RawMessage `json:"classLevelPermissions,omitempty"`
}

// checkSchema makes parse-server's checks of schema. Values that are false in JavaScript are taken out.
func checkSchema(values map[string]any) error {
	v, ok := values["schema"]
	if !ok {
		return nil
	}
	if v == false || v == 0.0 {
		delete(values, "schema")
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		return errors.New("Parse Server option schema must be an object.")
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		switch v := m[name]; name {
		case "definitions":
			list, ok := v.([]any)
			if !ok {
				return errors.New("Parse Server option schema.definitions must be an array.")
			}
			if err := checkDefinitions(list); err != nil {
				return err
			}
		case "strict", "deleteExtraFields", "recreateModifiedFields", "lockSchemas", "keepUnknownIndexes":
			if !isBool(v) {
				return fmt.Errorf("Parse Server option schema.%s must be a boolean.", name)
			}
		case "beforeMigration", "afterMigration":
			if v != nil {
				return fmt.Errorf("Parse Server option schema.%s must be a function. A configuration can't hold one; leave it out.", name)
			}
			delete(m, name)
		default:
			return unknownNested("schema", name)
		}
	}
	return nil
}

func checkDefinitions(list []any) error {
	names := map[string]bool{}
	for i, v := range list {
		m, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("schema.definitions[%d] must be an object", i)
		}
		for name := range m {
			switch name {
			case "className", "fields", "indexes", "classLevelPermissions":
			default:
				return fmt.Errorf("schema.definitions[%d] holds the unknown property %q", i, name)
			}
		}
		class, _ := m["className"].(string)
		switch {
		case class == "":
			return fmt.Errorf("schema.definitions[%d] has no className", i)
		case names[class]:
			return fmt.Errorf("The list of schemas provided contains duplicated \"className\"  %q", class)
		}
		names[class] = true
	}
	return nil
}
