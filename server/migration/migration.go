package migration

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/parsescale/parsescale/server/classes"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
)

// Options say what the classes are to be, by the names of parse-server's option schema.
type Options struct {
	// Definitions are the classes. To those that are left out clients can no longer add fields; nothing else of them
	// changes. Default: none.
	Definitions []Definition
	// Strict warns of classes and fields that are in the database alone, and of fields of another type. Default: false.
	Strict bool
	// DeleteExtraFields drops the fields of a defined class, with their data, that its definition leaves out.
	// Default: false.
	DeleteExtraFields bool
	// RecreateModifiedFields drops a field, with its data, that is defined with another type, and makes it anew.
	// Default: false.
	RecreateModifiedFields bool
	// KeepUnknownIndexes keeps the indexes of a defined class that its definition leaves out. Default: false.
	KeepUnknownIndexes bool
	// Logger gets the warnings. Default: slog.Default.
	Logger *slog.Logger
}

// Definition is one class, in the form of the schema API: JSON, nil where a member is missing.
type Definition struct {
	ClassName                              string
	Fields, Indexes, ClassLevelPermissions []byte
}

// Run migrates. Without a difference it writes nothing.
func Run(ctx context.Context, p *classes.Path, o Options) error {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	defined, err := read(o.Definitions)
	if err != nil {
		return fmt.Errorf("cannot migrate the schema: %w", err)
	}
	m := &migration{o: o, defined: defined}
	err = p.Edit(ctx, func(e *classes.Edit) error {
		m.warnings = nil // of an attempt before
		return m.run(e)
	})
	if err != nil {
		return fmt.Errorf("cannot migrate the schema: %w", err)
	}
	for _, w := range m.warnings {
		o.Logger.Warn(w)
	}
	return nil
}

type migration struct {
	o        Options
	defined  []*defined
	warnings []string
}

func (m *migration) warn(format string, args ...any) {
	m.warnings = append(m.warnings, fmt.Sprintf(format, args...))
}

func (m *migration) run(e *classes.Edit) error {
	s, err := e.Schema()
	if err != nil {
		return err
	}
	if s.Class(schema.Session) == nil {
		// The class would come with the first session, open to new fields.
		if err := e.Create(schema.Session, classes.Definition{}); err != nil {
			return fmt.Errorf("class %s: %w", schema.Session, err)
		}
		if s, err = e.Schema(); err != nil {
			return err
		}
	}
	names := map[string]bool{}
	for _, d := range m.defined {
		names[d.name] = true
		c := s.Class(d.name)
		if c == nil {
			err = m.create(e, d)
		} else {
			err = m.update(e, d, c)
		}
		if err != nil {
			return fmt.Errorf("class %s: %w", d.name, err)
		}
	}
	return m.closeOthers(e, s, names)
}

// none is a body's indexes that ask for nothing but to have the class's own one listed.
var none = []byte("{}")

// closeOthers keeps clients from adding fields to the classes that nobody defined.
func (m *migration) closeOthers(e *classes.Edit, s *schema.Schema, names map[string]bool) error {
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		if names[name] || schema.IsVolatile(name) {
			continue
		}
		if !schema.IsSystem(name) {
			unknown = append(unknown, name)
		}
		have := s.Classes[name].Permissions
		if have == nil {
			have = schema.Public()
		}
		if len(have.Operations["addField"]) == 0 && len(s.Classes[name].Indexes) > 0 {
			continue
		}
		permissions := have.Value()
		permissions["addField"] = map[string]any{}
		if err := e.Update(name, classes.Definition{Indexes: none, Permissions: query.AppendJSON(nil, permissions)}); err != nil {
			return fmt.Errorf("class %s: %w", name, err)
		}
	}
	if m.o.Strict && len(unknown) > 0 {
		m.warn(`The following schemas are currently present in the database, but not explicitly defined in a schema: "%s"`, strings.Join(unknown, `", "`))
	}
	return nil
}

// create makes a class that isn't there.
func (m *migration) create(e *classes.Edit, d *defined) error {
	if !d.withPermissions {
		m.warn("classLevelPermissions not provided for %s.", d.name)
	}
	return e.Create(d.name, classes.Definition{
		Fields: body(d.fields), Indexes: body(d.indexes), Permissions: query.AppendJSON(nil, d.permissions),
	})
}
