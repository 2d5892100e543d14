package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/parsescale/parsescale/server/query"
)

// Pipeline is what a list of stages asks for. Stages that nothing knows are passed over, as parse-server does.
type Pipeline struct {
	// Match selects the objects; nil: all.
	Match query.Expr
	// Group, if not nil, makes one result of all objects with the same keys.
	Group *Group
	// Fields are what the last $project keeps, if there was one after the group; All: everything is shown all the same,
	// because another stage followed it. With neither nothing is shown.
	Projected bool
	Fields    []string
	All       bool
	// Unkeyed: $project says that results of a group go without their key.
	Unkeyed bool
	Sort    []Sort
	// Limit is the most results, -1 when there is no bound.
	Limit, Skip int
}

// Group is $group.
type Group struct {
	// Keys are what objects are grouped by; none: all objects make one group.
	Keys []Key
	// Single: the key is the one field of _id, not an object of several.
	Single bool
	Values []Value
	// Also are fields that an earlier $project shows beside the key, if they are part of it.
	Also []string
}

// Key is a field to group by, shown under Name. With a Part, that part of the date is shown; the objects are grouped by
// the whole date all the same, as parse-server does.
type Key struct {
	Name, Field string
	Part        Part
}

// Value is what a group makes of its objects' fields, shown under Name.
type Value struct {
	Name  string
	Func  Func
	Field string // "" for Count
}

// Sort is one term of $sort. "objectId" stands for the key of a group.
type Sort struct {
	Name string
	Desc bool
}

// Func is an accumulator.
type Func uint8

// The accumulators: $sum of a field, of anything else (which counts), $max, $min and $avg.
const (
	Sum Func = iota + 1
	Count
	Max
	Min
	Avg
)

// Part is a part of a date in UTC, by the name it has in SQL's EXTRACT; "" is the date itself.
type Part string

// parts are the operators that take a date apart.
var parts = map[string]Part{
	"$dayOfMonth": "DAY", "$dayOfWeek": "DOW", "$dayOfYear": "DOY", "$isoDayOfWeek": "ISODOW", "$isoWeekYear": "ISOYEAR",
	"$hour": "HOUR", "$minute": "MINUTE", "$second": "SECOND", "$millisecond": "MILLISECONDS", "$month": "MONTH",
	"$week": "WEEK", "$year": "YEAR",
}

// Bounds of one pipeline.
const (
	maxStages = 128
	maxFields = 512 // of one stage
	maxBytes  = 1 << 20
)

// The codes of the Parse API that a pipeline is refused with.
const (
	codeInvalidQuery   = 102
	codeInvalidKeyName = 105
)

func fail(code int, format string, args ...any) error {
	return &query.Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Parse reads a pipeline: a list of stages, or an object of them. Errors are *query.Error.
func Parse(data []byte) (*Pipeline, error) {
	if len(data) > maxBytes {
		return nil, fail(codeInvalidQuery, "The pipeline exceeds the maximum allowed size of %d bytes", maxBytes)
	}
	stages, err := stagesOf(data)
	if err != nil {
		return nil, err
	}
	b := builder{p: Pipeline{Limit: -1}}
	for _, s := range stages {
		if err := b.stage(s); err != nil {
			return nil, err
		}
	}
	b.p.Match = conjunction(b.match)
	return &b.p, nil
}

// stagesOf takes a pipeline apart. What is neither list nor object has no stages.
func stagesOf(data []byte) ([]member, error) {
	if list, ok := elements(data); ok {
		if len(list) > maxStages {
			return nil, fail(codeInvalidQuery, "Number of pipeline stages exceeds maximum allowed of %d", maxStages)
		}
		stages := make([]member, len(list))
		for i, raw := range list {
			members, err := membersOf(raw)
			if err != nil || len(members) != 1 {
				return nil, fail(codeInvalidQuery, "Pipeline stages should only have one key but found %s.", names(members))
			}
			stages[i] = members[0]
		}
		return stages, nil
	}
	stages, err := membersOf(data)
	switch {
	case errors.Is(err, errNotObject) && len(data) > 2 && data[0] == '"':
		return nil, fail(codeInvalidQuery, "Invalid aggregate stage '0'.") // the first letter, to JavaScript
	case errors.Is(err, errNotObject):
		return nil, nil
	case err != nil:
		return nil, fail(codeInvalidQuery, "The pipeline is not valid JSON")
	case len(stages) > maxStages:
		return nil, fail(codeInvalidQuery, "Number of pipeline stages exceeds maximum allowed of %d", maxStages)
	}
	return stages, nil
}

// builder puts a Pipeline together.
type builder struct {
	p     Pipeline
	match []query.Expr
}

func (b *builder) stage(s member) error {
	if !strings.HasPrefix(s.name, "$") {
		return fail(codeInvalidQuery, "Invalid aggregate stage '%s'.", s.name)
	}
	if s.name == "$group" {
		return b.group(s.value)
	}
	switch s.name {
	case "$match":
		return b.where(s.value)
	case "$project":
		return b.project(s.value)
	case "$sort":
		b.p.All = true
		return b.sort(s.value)
	case "$limit":
		b.p.All = true
		return amount(s.value, "LIMIT", &b.p.Limit)
	case "$skip":
		b.p.All = true
		return amount(s.value, "OFFSET", &b.p.Skip)
	}
	b.p.All = true
	return nil
}

// amount reads a number of results; 0 and what is falsy stands for none given.
func amount(raw json.RawMessage, name string, to *int) error {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return fail(codeInvalidQuery, "invalid %s", name)
	}
	n, ok := 0.0, true
	switch v := v.(type) {
	case nil:
	case float64:
		n = v
	case string:
		ok = v == "" || json.Unmarshal([]byte(v), &n) == nil
	default:
		ok = v == false
	}
	switch {
	case !ok:
		return fail(codeInvalidQuery, "invalid input syntax for type bigint: %s", raw)
	case n <= -0.5:
		return fail(codeInvalidQuery, "%s must not be negative", name)
	case n != 0:
		*to = int(math.Round(min(n, math.MaxInt32)))
	}
	return nil
}

func (b *builder) sort(raw json.RawMessage) error {
	terms, err := fields(raw, "$sort")
	if err != nil {
		return err
	}
	b.p.Sort = nil
	for _, t := range terms {
		name := strings.TrimPrefix(t.name, "_id.")
		if b.p.Sort = append(b.p.Sort, Sort{Name: column(name), Desc: !is(t.value, 1.0)}); !IsName(column(name)) {
			return fail(codeInvalidQuery, "column %q does not exist", t.name)
		}
	}
	return nil
}

func (b *builder) project(raw json.RawMessage) error {
	list, err := fields(raw, "$project")
	if err != nil {
		return err
	}
	b.p.All, b.p.Projected, b.p.Fields = false, true, nil
	for _, f := range list {
		switch {
		case is(f.value, 1.0), is(f.value, true):
			if !IsName(column(f.name)) {
				return fail(codeInvalidQuery, "column %q does not exist", f.name)
			}
			b.p.Fields = append(b.p.Fields, column(f.name))
		case is(f.value, 0.0), is(f.value, false):
			b.p.Unkeyed = b.p.Unkeyed || column(f.name) == "objectId"
		}
	}
	return nil
}

// is reports whether JSON is a number or boolean.
func is(raw json.RawMessage, want any) bool {
	var v any
	return json.Unmarshal(raw, &v) == nil && v == want
}

// column is the field that a name of MongoDB's stands for.
func column(name string) string {
	switch name {
	case "_id":
		return "objectId"
	case "_created_at":
		return "createdAt"
	case "_updated_at":
		return "updatedAt"
	}
	return name
}

// IsName is parse-server's rule for fields: ^[a-zA-Z][a-zA-Z0-9_]*$.
func IsName(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return name != ""
}
