package classes

import (
	"context"
	"maps"
	"slices"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// Options are the options of classes, by parse-server's names.
type Options struct {
	// AllowCustomObjectID lets permissions name users whose ids have any form. Default: false.
	AllowCustomObjectID bool
}

// Path changes classes. It is safe for concurrent use.
type Path struct {
	store storage.Store
	o     Options
}

// New returns a Path over the store.
func New(store storage.Store, o Options) *Path { return &Path{store: store, o: o} }

// change runs f in a transaction with the class of the name, nil if there is none, and returns the class that f leaves.
// id is the write id; "" means none. A repeated write returns the class as it is now.
func (p *Path) change(ctx context.Context, id, name string, f func(tx storage.Tx, class *schema.Class) (*schema.Class, error)) (*schema.Class, error) {
	var left *schema.Class
	_, repeated, err := p.store.Write(ctx, id, func(tx storage.Tx) ([]byte, error) {
		s, err := tx.LockSchema(ctx)
		if err != nil {
			return nil, err
		}
		left, err = f(tx, s.Class(name))
		return nil, err
	})
	if err != nil || !repeated {
		return left, err
	}
	err = p.store.Read(ctx, func(s storage.Snapshot) error {
		all, err := s.Schema(ctx)
		if err == nil {
			left = all.Class(name)
		}
		return err
	})
	if err == nil && left == nil {
		left = schema.New(name, nil)
	}
	return left, err
}

func missing(name string) error {
	return parseerror.New(parseerror.InvalidClassName, "Class %s does not exist.", name)
}

// Create makes a class that isn't there yet.
func (p *Path) Create(ctx context.Context, name string, d Definition, id string) (*schema.Class, error) {
	def, err := d.read()
	if err != nil {
		return nil, err
	}
	return p.change(ctx, id, name, func(tx storage.Tx, class *schema.Class) (*schema.Class, error) {
		return p.create(ctx, tx, class, name, def)
	})
}

func (p *Path) create(ctx context.Context, tx storage.Tx, have *schema.Class, name string, def *definition) (*schema.Class, error) {
	if have != nil {
		return nil, parseerror.New(parseerror.InvalidClassName, "Class %s already exists.", name)
	}
	// Join tables have no objects: they come and go with their relations.
	if err := schema.CheckNewClass(name); err != nil || name[0] == '_' && !schema.IsSystem(name) || len(name) > maxName {
		return nil, &query.Error{Code: parseerror.InvalidClassName, Message: schema.BadClassName(name)}
	}
	fields := map[string]schema.Field{}
	for _, f := range def.fields.Names {
		var err error
		if fields[f], err = checkNewField(name, f, def.fields.Values[f]); err != nil {
			return nil, err
		}
	}
	class := schema.New(name, fields)
	if len(class.Fields) > maxFields {
		return nil, tooMany(name)
	}
	if err := checkGeoPoints(class.Fields, def.fields.Names); err != nil {
		return nil, err
	}
	if def.permissions != nil {
		if err := schema.CheckPermissions(def.permissions, class.Fields, p.o.AllowCustomObjectID); err != nil {
			return nil, err
		}
		class.Permissions = schema.PermissionsOf(def.permissions.Values)
	}
	var err error
	if class.Indexes, err = setIndexes(nil, def.indexes, class.Fields); err != nil {
		return nil, err
	}
	class.Columns = def.fields.Names // the order of the new columns
	stored, err := tx.PutClass(ctx, class)
	if err != nil {
		return nil, err
	}
	tx.Emit(change.Change{Class: name, Kind: change.Schema})
	shown := *stored // a new class answers with the indexes it was asked for
	shown.Indexes = maps.Clone(stored.Indexes)
	delete(shown.Indexes, "_id_")
	return &shown, nil
}

// maxFields bounds the fields of a class; databases bound the columns of a table.
const maxFields = 1000

func tooMany(class string) error {
	return parseerror.New(parseerror.OperationForbidden, "Class %s would have more than %d fields", class, maxFields)
}

// Update adds and deletes fields and indexes and replaces permissions.
func (p *Path) Update(ctx context.Context, name string, d Definition, id string) (*schema.Class, error) {
	def, err := d.read()
	if err != nil {
		return nil, err
	}
	return p.change(ctx, id, name, func(tx storage.Tx, class *schema.Class) (*schema.Class, error) {
		return p.update(ctx, tx, class, name, def)
	})
}

func (p *Path) update(ctx context.Context, tx storage.Tx, class *schema.Class, name string, def *definition) (*schema.Class, error) {
	if class == nil || schema.IsVolatile(name) {
		return nil, missing(name)
	}
	next, err := p.changed(class, def)
	if err != nil {
		return nil, err
	}
	if next.Indexes, err = setIndexes(class.Indexes, def.indexes, next.Fields); err != nil {
		return nil, err
	}
	return p.alter(ctx, tx, class, next)
}

// alter stores the class as it will be, and announces what of it is gone.
func (p *Path) alter(ctx context.Context, tx storage.Tx, class, next *schema.Class) (*schema.Class, error) {
	stored, err := tx.AlterClass(ctx, next)
	if err != nil {
		return nil, err
	}
	tx.Emit(change.Change{Class: class.Name, Kind: change.Schema})
	emitJoins(tx, class, next)
	return stored, nil
}

// emitJoins announces that the members of those relations are gone that next, which may be nil, doesn't have.
func emitJoins(tx storage.Tx, class, next *schema.Class) {
	for _, name := range class.FieldNames() {
		if class.Fields[name].Type != schema.Relation {
			continue
		}
		if next == nil || next.Fields[name].Type != schema.Relation {
			tx.Emit(change.Change{Class: schema.JoinTable(class.Name, name), Kind: change.Purge})
		}
	}
}

// changed returns the class with the body's fields and permissions. The order of the checks is parse-server's.
func (p *Path) changed(class *schema.Class, def *definition) (*schema.Class, error) {
	for _, f := range def.fields.Names {
		have, there := class.Fields[f]
		m, _ := def.fields.Values[f].(map[string]any)
		switch {
		case there && !isDelete(m) && m["type"] != string(have.Type):
			return nil, parseerror.New(parseerror.InvalidSchemaOperation, "Field %s exists, cannot update.", f)
		case !there && isDelete(m):
			return nil, parseerror.New(parseerror.InvalidSchemaOperation, "Field %s does not exist, cannot delete.", f)
		}
	}
	next := &schema.Class{Name: class.Name, Fields: maps.Clone(class.Fields), Permissions: class.Permissions}
	order := slices.Clone(class.Columns)
	for _, f := range def.fields.Names {
		v := def.fields.Values[f]
		_, there := class.Fields[f]
		switch {
		case isDelete(v):
			if isDefault(class.Name, f) {
				return nil, parseerror.New(parseerror.NotChangeable, "field %s cannot be changed", f)
			}
			delete(next.Fields, f)
			continue
		case there:
			got, err := field(class.Name, f, v)
			if err == nil {
				err = class.Fields[f].Check(class.Name, f, got)
			}
			if err != nil {
				return nil, err
			}
			next.Fields[f] = got
			continue
		}
		got, err := checkNewField(class.Name, f, v)
		if err != nil {
			return nil, err
		}
		next.Fields[f] = got
		order = append(order, f)
	}
	if len(next.Fields) > maxFields && len(next.Fields) > len(class.Fields) {
		return nil, tooMany(class.Name)
	}
	if err := checkGeoPoints(next.Fields, order); err != nil {
		return nil, err
	}
	if def.permissions != nil {
		if err := schema.CheckPermissions(def.permissions, next.Fields, p.o.AllowCustomObjectID); err != nil {
			return nil, err
		}
		next.Permissions = schema.PermissionsOf(def.permissions.Values)
	} else if def.named {
		next.Permissions = nil
	}
	next.Columns = order
	return next, nil
}

// Drop removes a class without objects. One that isn't there is no error.
func (p *Path) Drop(ctx context.Context, name, id string) error {
	if err := schema.CheckNewClass(name); err != nil {
		return err
	}
	_, err := p.change(ctx, id, name, func(tx storage.Tx, class *schema.Class) (*schema.Class, error) {
		if class == nil {
			return nil, nil
		}
		s, err := tx.Schema(ctx)
		if err != nil {
			return nil, err
		}
		if err := tx.LockClass(ctx, class); err != nil {
			return nil, err
		}
		n, err := tx.Count(ctx, &storage.Find{Schema: s, Class: class, Limit: -1})
		if err != nil {
			return nil, err
		}
		if n > 0 {
			return nil, parseerror.New(parseerror.InvalidSchemaOperation, "Class %s is not empty, contains %d objects, cannot drop schema.", name, n)
		}
		if name == schema.User || name == schema.Role {
			// No server runs without them: they become what they are in a new database.
			return p.alter(ctx, tx, class, schema.New(name, nil))
		}
		if err := tx.DropClass(ctx, name); err != nil {
			return nil, err
		}
		tx.Emit(change.Change{Class: name, Kind: change.Schema})
		emitJoins(tx, class, nil)
		return nil, nil
	})
	return err
}

// Purge removes all objects of a class. One that isn't there is no error.
func (p *Path) Purge(ctx context.Context, name, id string) error {
	_, err := p.change(ctx, id, name, func(tx storage.Tx, class *schema.Class) (*schema.Class, error) {
		if class == nil || schema.IsVolatile(name) || len(class.Columns) == 0 {
			return class, nil
		}
		if err := tx.Purge(ctx, class); err != nil {
			return nil, err
		}
		tx.Emit(change.Change{Class: name, Kind: change.Purge})
		return class, nil
	})
	return err
}
