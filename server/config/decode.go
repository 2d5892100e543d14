package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// decode puts the values into the options, which hold the defaults.
func (o *Options) decode(values map[string]any) error {
	if _, own := values["protectedFields"]; own {
		o.ProtectedFields = nil
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		data, err := json.Marshal(map[string]any{name: values[name]})
		if err != nil {
			return fmt.Errorf("cannot read option %s: %w", name, err)
		}
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.DisallowUnknownFields()
		if err := dec.Decode(o); err != nil {
			return explain(name, err)
		}
	}
	return nil
}

// explain says what is wrong with an option, without repeating its value, which may be a secret.
func explain(name string, err error) error {
	var t *json.UnmarshalTypeError
	if errors.As(err, &t) {
		field := t.Field
		if field == "" {
			field = name
		}
		return fmt.Errorf("option %s must be %s, not %s", field, javascriptType(t.Type), t.Value)
	}
	if strings.Contains(err.Error(), name) {
		return err
	}
	return fmt.Errorf("option %s: %w", name, err)
}

// javascriptType is what operators call a type.
func javascriptType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "a boolean"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "an array"
	case reflect.Pointer:
		return javascriptType(t.Elem())
	}
	return "an object"
}
