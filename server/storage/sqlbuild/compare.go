package sqlbuild

import (
	"fmt"
	"slices"
	"time"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

var operators = [...]string{query.Eq: " = ", query.Ne: " <> ", query.Lt: " < ", query.Lte: " <= ", query.Gt: " > ", query.Gte: " >= "}

func (b *Builder) compare(e *query.Compare) {
	t, ok := b.resolve(e.Path)
	switch {
	case !ok:
	case e.Relative && (t.field.Type != schema.Date || t.path != nil):
		b.fail(&storage.Unsupported{Code: codeInvalidJSON, Message: "$relativeTime can only be used with Date field"})
	case t.field.Type == schema.Relation:
		b.relationCompare(e)
	case e.Value == nil && e.Op <= query.Ne:
		b.isNull(t, e.Op == query.Eq)
	case e.Value == nil:
		b.Raw("FALSE")
	case t.path != nil:
		b.pathCompare(t, e)
	case t.field.Type == schema.Array:
		b.arrayCompare(t, e)
	default:
		b.columnCompare(t, e)
	}
}

// columnCompare compares a column with a value. A value of another type equals none and has no order; PostgreSQL
// parse-server answers it with an internal error.
func (b *Builder) columnCompare(t target, e *query.Compare) {
	arg, ok := b.encode(t, e.Value)
	if !ok {
		b.mismatch(e.Op)
		return
	}
	if b.foldCase && e.Op == query.Eq && t.field.Type == schema.String {
		lower := b.dialect.Lower() + "("
		b.Raw(lower)
		b.Raw(t.col)
		b.Raw(") = " + lower)
		b.Arg(t.field.Type, arg)
		b.Raw(")")
		return
	}
	if e.Op > query.Ne && !ordered(t.field.Type) {
		b.Raw("FALSE")
		return
	}
	if e.Op == query.Ne {
		b.Raw("(")
	}
	if t.field.Type == schema.GeoPoint || t.field.Type == schema.Polygon {
		if e.Op == query.Ne {
			b.Raw("NOT ")
		}
		b.dialect.Same(b, t.field, t.col, e.Value)
	} else {
		b.Raw(t.col)
		b.Raw(operators[e.Op])
		b.Arg(t.field.Type, arg)
	}
	if e.Op == query.Ne {
		b.Raw(" OR ")
		b.Raw(t.col)
		b.Raw(" IS NULL)")
	}
}

// encode makes the argument that a column is compared with. As on PostgreSQL a text compares with what a pointer or file
// column stores, and with a date when it is one.
func (b *Builder) encode(t target, v any) (any, bool) {
	text, isText := v.(string)
	switch {
	case isText && t.text():
		return text, true
	case isText && t.field.Type == schema.Date:
		date, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return nil, false
		}
		v = query.Date{Time: date}
	}
	return b.dialect.Encode(t.field, v)
}

func (b *Builder) mismatch(op query.Op) {
	if op == query.Ne {
		b.Raw("TRUE")
		return
	}
	b.Raw("FALSE")
}

func ordered(t schema.Type) bool {
	switch t {
	case schema.String, schema.Number, schema.Boolean, schema.Date, schema.Pointer, schema.File:
		return true
	}
	return false
}

func (b *Builder) arrayCompare(t target, e *query.Compare) {
	switch e.Op {
	case query.Ne:
		b.Raw("NOT ")
		fallthrough
	case query.Eq:
		b.dialect.ArrayAny(b, t.col, []any{e.Value})
	default:
		b.Raw("FALSE")
	}
}

// pathCompare compares what is at a path inside an Object or Array: for equality its text, for the other operators by
// the type of the value.
func (b *Builder) pathCompare(t target, e *query.Compare) {
	var operand func(*Builder, string, []string)
	arg, argType := e.Value, schema.String
	switch v := e.Value.(type) {
	case string:
		operand = b.dialect.PathText
	case float64:
		operand, argType = b.dialect.PathNumber, schema.Number
		if e.Op == query.Eq {
			operand, arg, argType = b.dialect.PathText, string(query.AppendJSON(nil, v)), schema.String
		}
	case bool:
		operand, argType = b.dialect.PathBool, schema.Boolean
		if e.Op == query.Eq {
			operand, arg, argType = b.dialect.PathText, string(query.AppendJSON(nil, v)), schema.String
		} else {
			arg, _ = b.dialect.Encode(schema.Field{Type: schema.Boolean}, v)
		}
	}
	if operand == nil || !t.json() {
		b.mismatch(e.Op)
		return
	}
	if e.Op == query.Ne {
		b.Raw("(")
	}
	operand(b, t.col, t.path)
	b.Raw(operators[e.Op])
	b.Arg(argType, arg)
	if e.Op == query.Ne {
		b.Raw(" OR ")
		operand(b, t.col, t.path)
		b.Raw(" IS NULL)")
	}
}

func (b *Builder) in(e *query.In) {
	t, ok := b.resolve(e.Path)
	switch {
	case !ok:
	case t.field.Type == schema.Relation:
		b.relationIn(e)
	case len(e.Values) == 0 && e.Not:
		b.Raw("TRUE")
	case len(e.Values) == 0:
		b.isNull(t, true)
	case t.path != nil:
		b.pathIn(t, e)
	case t.field.Type == schema.Array:
		b.arrayIn(t, e)
	default:
		b.columnIn(t, e)
	}
}

func (b *Builder) columnIn(t target, e *query.In) {
	args := make([]any, 0, len(e.Values))
	for _, v := range e.Values {
		if v == nil {
			continue
		}
		arg, ok := b.encode(t, v)
		switch {
		case ok:
			args = append(args, arg)
		case t.field.Type == schema.String:
			b.elementMismatch(e)
			return
		}
	}
	switch {
	case len(args) == 0 && e.Not:
		b.isNull(t, false)
	case len(args) == 0:
		b.Raw("FALSE")
	case len(args) == 1:
		op := query.Eq
		if e.Not {
			op = query.Ne
		}
		b.Raw(t.col)
		b.Raw(operators[op])
		b.Arg(t.field.Type, args[0])
	default:
		b.Raw(t.col)
		if e.Not {
			b.Raw(" NOT")
		}
		b.Raw(" ")
		b.dialect.In(b, t.field, args)
	}
}

// elementMismatch refuses a value that is no text in a list that a String field is compared with.
func (b *Builder) elementMismatch(e *query.In) {
	operator := "$in"
	if e.Not {
		operator = "$nin"
	}
	b.fail(&storage.Unsupported{Code: codeInvalidQuery, Message: fmt.Sprintf("%s element type mismatch: expected string for field %q", operator, string(e.Path))})
}

func (b *Builder) arrayIn(t target, e *query.In) {
	internal := e.Path == "_rperm" || e.Path == "_wperm"
	if internal && slices.Contains(e.Values, nil) && !e.Not {
		b.Raw("(")
		b.isNull(t, true)
		b.Raw(" OR ")
		b.dialect.ArrayAny(b, t.col, e.Values)
		b.Raw(")")
		return
	}
	if e.Not {
		b.Raw("NOT ")
	}
	b.dialect.ArrayAny(b, t.col, e.Values)
}

// pathIn is jsonb's containment, as on PostgreSQL: an array at the path holds every one of the values.
func (b *Builder) pathIn(t target, e *query.In) {
	switch {
	case e.Not:
		b.unsupported(map[string]any{"$nin": e.Values})
	case !t.json():
		b.Raw("FALSE")
	default:
		b.dialect.PathHolds(b, t.col, t.path, e.Values)
	}
}
