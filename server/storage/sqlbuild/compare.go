package sqlbuild

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

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
	op := e.Op
	arg, ok := b.encode(t, e.Value)
	if text, isText := t.textOf(e.Value); !ok && isText {
		arg, op, ok = b.cut(text, op)
	}
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
	switch e.Op {
	case query.Eq:
		b.dialect.Equals(b, t.col, t.field, arg)
	case query.Ne:
		b.Raw("(NOT ")
		b.dialect.Equals(b, t.col, t.field, arg)
		b.Raw(" OR ")
		b.Raw(t.col)
		b.Raw(" IS NULL)")
	default:
		b.Raw(t.col)
		b.Raw(operators[op])
		b.Arg(t.field.Type, arg)
	}
}

// textOf is the text that a value is compared by in the column.
func (t target) textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, t.text()
	case query.Pointer:
		return v.ObjectID, t.path == nil && t.field.Type == schema.Pointer
	case query.File:
		return v.Name, t.path == nil && t.field.Type == schema.File
	}
	return "", false
}

// cut turns an order with a text that the database can't hold, because of a NUL, into one with what is before the NUL: to
// the texts it holds they are the same.
func (b *Builder) cut(text string, op query.Op) (arg any, same query.Op, ok bool) {
	text, _, found := strings.Cut(text, "\x00")
	switch op {
	case query.Lt, query.Lte:
		same = query.Lte
	case query.Gt, query.Gte:
		same = query.Gt
	default:
		return nil, op, false
	}
	arg, ok = b.dialect.Encode(schema.Field{Type: schema.String}, text)
	return arg, same, ok && found
}

// numberOf reads a text as PostgreSQL reads a number, as far as it is finite.
func numberOf(text string) (float64, bool) {
	text = strings.Trim(text, " \t\r\n\v\f")
	if strings.Trim(text, "0123456789.eE+-") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil
}

// encode makes the argument that a column is compared with. As on PostgreSQL a text compares with what a pointer or file
// column stores, and with a
// date or number when it is one.
func (b *Builder) encode(t target, v any) (any, bool) {
	text, isText := v.(string)
	switch {
	case isText && t.text():
		return b.dialect.Encode(schema.Field{Type: schema.String}, text)
	case isText && t.field.Type == schema.Date:
		date, isDate := query.ParseDate(text)
		if !isDate {
			return nil, false
		}
		v = date
	case isText && t.field.Type == schema.Number:
		n, isNumber := numberOf(text)
		if !isNumber {
			return nil, false
		}
		v = n
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
	arg, argType, op := e.Value, schema.String, e.Op
	switch v := e.Value.(type) {
	case string:
		var ok bool
		if arg, ok = b.dialect.Encode(schema.Field{Type: schema.String}, v); !ok {
			arg, op, ok = b.cut(v, op)
		}
		if ok {
			operand = b.dialect.PathText
		}
	case float64:
		operand, argType = b.dialect.PathNumber, schema.Number
		if e.Op == query.Eq {
			operand, arg, argType = b.dialect.PathText, b.dialect.NumberText(v), schema.String
		}
	case bool:
		operand, argType = b.dialect.PathBool, schema.Boolean
		if e.Op == query.Eq {
			operand, arg, argType = b.dialect.PathText, string(query.AppendJSON(nil, v)), schema.String
		} else {
			arg, _ = b.dialect.Encode(schema.Field{Type: schema.Boolean}, v)
		}
	}
	if composite(e.Value) && e.Op == query.Eq {
		f, _ := schema.Infer(e.Value)
		var ok bool
		if arg, ok = b.dialect.Encode(f, e.Value); ok {
			operand, argType = b.dialect.PathJSON, f.Type
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
	b.Raw(operators[op])
	b.Arg(argType, arg)
	if e.Op == query.Ne {
		b.Raw(" OR ")
		operand(b, t.col, t.path)
		b.Raw(" IS NULL)")
	}
}

// composite tells objects and arrays.
func composite(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

func (b *Builder) in(e *query.In) {
	t, ok := b.resolve(e.Path)
	switch {
	case !ok:
	case t.field.Type == schema.Relation:
		b.relationIn(e)
	case len(e.Values) == 0 && e.Not:
		b.Raw("TRUE")
	case len(e.Values) == 0 && t.path != nil:
		b.Raw("FALSE")
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
		if e.Not {
			b.Raw("NOT ")
		}
		b.dialect.Equals(b, t.col, t.field, args[0])
	default:
		b.dialect.In(b, t.col, t.field, args, e.Not)
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
