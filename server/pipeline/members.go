package pipeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// member is one member of a JSON object. The order of members counts in a pipeline.
type member struct {
	name  string
	value json.RawMessage
}

var errNotObject = errors.New("not an object")

// membersOf takes a JSON object apart. Of a repeated name all are kept.
func membersOf(raw []byte) ([]member, error) {
	d := decoder(raw)
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		if err == nil {
			err = errNotObject
		}
		return nil, err
	}
	var out []member
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		m := member{name: name.String()}
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		m.value = json.RawMessage(bytes.Clone(value))
		out = append(out, m)
	}
	return out, nil
}

// elements takes a JSON array apart; ok is false if it is none.
func elements(raw []byte) (list []json.RawMessage, ok bool) {
	if !bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("[")) {
		return nil, false
	}
	return list, json.Unmarshal(raw, &list) == nil
}

func decoder(raw []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// fields are the members of a stage's operand. What is no object has none, but a group must be one.
func fields(raw []byte, stage string) ([]member, error) {
	list, err := membersOf(raw)
	switch {
	case errors.Is(err, errNotObject):
		return nil, nil
	case err != nil:
		return nil, fail(codeInvalidQuery, "%s is not valid JSON", stage)
	case len(list) > maxFields:
		return nil, fail(codeInvalidQuery, "Number of fields of %s exceeds maximum allowed of %d", stage, maxFields)
	}
	return list, nil
}

func names(members []member) string {
	list := make([]string, len(members))
	for i, m := range members {
		list[i] = m.name
	}
	return strings.Join(list, ", ")
}
