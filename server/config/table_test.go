package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// from loads a configuration from a file, and further values from flags and variables.
func from(t *testing.T, config map[string]any, args, env []string) (*Options, []string, error) {
	t.Helper()
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return load(t, append([]string{"config.json"}, args...), env, string(data))
}

// text is a value as flags and variables have it.
func asText(t *testing.T, v any) string {
	t.Helper()
	if s, ok := v.(string); ok {
		return s
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestEveryOptionDoesWhatTheTableSays loads each option with a value that isn't its default.
func TestEveryOptionDoesWhatTheTableSays(t *testing.T) {
	for _, r := range table(t) {
		t.Run(r.option, func(t *testing.T) {
			base, before, err := from(t, r.config(t, "", nil), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			o, warnings, err := from(t, r.config(t, r.option, r.value), nil, nil)
			r.check(t, base, before, o, warnings, err)
			if r.def != "" {
				r.checkDefault(t)
			}
		})
	}
}

func (r *row) check(t *testing.T, base *Options, before []string, o *Options, warnings []string, err error) {
	t.Helper()
	switch r.here {
	case "refused":
		if err == nil || !r.named(err.Error()) || strings.Contains(err.Error(), "unknown") {
			t.Errorf("error %v, want a reason with the option's name", err)
		}
	case "warned":
		if err != nil {
			t.Fatal(err)
		}
		if len(warnings) != len(before)+1 || !slices.ContainsFunc(warnings, r.named) {
			t.Errorf("warnings %q, want one with the option's name", warnings)
		}
	case "honoured":
		if err != nil {
			t.Fatal(err)
		}
		if len(warnings) > len(before) {
			t.Errorf("warnings %q", warnings)
		}
		if reflect.DeepEqual(base, o) {
			t.Errorf("%v changes nothing", r.value)
		}
	default:
		t.Errorf("the table says %q", r.here)
	}
}

// named reports whether a text names the option, or what it is in.
func (r *row) named(text string) bool {
	path := strings.TrimSuffix(r.option, "[]")
	for {
		if strings.Contains(text, "option "+path+" ") || strings.Contains(text, path) {
			return true
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return false
		}
		path = path[:i]
	}
}

// checkDefault: parse-server's default is what we do when nothing is said, too, or what we don't do anyway.
func (r *row) checkDefault(t *testing.T) {
	t.Helper()
	var def any
	if err := json.Unmarshal([]byte(r.def), &def); err != nil {
		t.Fatal(err)
	}
	parent := r.option[:max(0, strings.LastIndex(r.option, "."))]
	if d, ok := define(strings.Split(parent, ".")[0]); r.option == "databaseURI" || ok && d.support == refused {
		return // MongoDB's, or of what is refused as a whole
	}
	bare := r.config(t, "", nil)
	if parent != "" && !strings.HasSuffix(parent, "[]") && r.with == nil {
		bare = r.config(t, parent, map[string]any{})
	}
	base, _, err := from(t, bare, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	o, _, err := from(t, r.config(t, r.option, def), nil, nil)
	if err != nil {
		t.Errorf("parse-server's default is refused: %v", err)
	} else if r.here == "honoured" && reveal(t, base) != reveal(t, o) {
		t.Errorf("parse-server's default %s isn't ours:\n%s\n%s", r.def, reveal(t, o), reveal(t, base))
	}
}

// TestEveryOptionIsReadFromEverywhere: flags win over the environment, which wins over the file.
func TestEveryOptionIsReadFromEverywhere(t *testing.T) {
	for _, r := range table(t) {
		if r.nested() {
			continue
		}
		t.Run(r.option, func(t *testing.T) {
			value, other := asText(t, r.value), asText(t, r.other)
			want, _, err := from(t, r.config(t, r.option, r.value), nil, nil)
			if r.here == "refused" {
				for name, sources := range map[string][2][]string{"flag": {{"--" + r.option, value}}, "variable": {nil, {r.variable + "=" + value}}} {
					if _, _, err := from(t, r.config(t, "", nil), sources[0], sources[1]); err == nil || !r.named(err.Error()) {
						t.Errorf("by its %s: %v", name, err)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, source := range []struct {
				name string
				file any
				args []string
				env  []string
			}{
				{"the flag", r.other, []string{"--" + r.option, value}, []string{r.variable + "=" + other}},
				{"the flag with =", nil, []string{"--" + r.option + "=" + value}, []string{r.variable + "=" + other}},
				{"the variable", r.other, nil, []string{r.variable + "=" + value}},
				{"the file, of one app", r.value, nil, []string{r.variable + "="}},
			} {
				config := r.config(t, "", nil)
				if source.file != nil {
					config = r.config(t, r.option, source.file)
				}
				if strings.HasSuffix(source.name, "app") {
					config = map[string]any{"apps": []any{config}}
				}
				o, warnings, err := from(t, config, source.args, source.env)
				if err != nil {
					t.Errorf("%s: %v", source.name, err)
					continue
				}
				if r.here == "warned" && !slices.ContainsFunc(warnings, r.named) {
					t.Errorf("%s: no warning", source.name)
				}
				if r.here == "honoured" && reveal(t, o) != reveal(t, want) {
					t.Errorf("%s doesn't count", source.name)
				}
			}
		})
	}
}

// reveal is the options as JSON, secrets included, without what is empty, and with what JSON leaves out.
func reveal(t *testing.T, o *Options) string {
	t.Helper()
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(tidy(v), o.DatabaseOptions)
}

// tidy drops what is null or empty from objects.
func tidy(v any) any {
	m, ok := v.(map[string]any)
	for name, inner := range m {
		inner = tidy(inner)
		m[name] = inner
		if list, isList := inner.([]any); inner == nil || isList && len(list) == 0 {
			delete(m, name)
		}
	}
	if ok && len(m) == 0 {
		return nil
	}
	return v
}

// TestVariablesOfNestedOptionsAreKnown: parse-server's manual names them, and nothing reads them.
func TestVariablesOfNestedOptionsAreKnown(t *testing.T) {
	for _, r := range table(t) {
		if !r.nested() {
			continue
		}
		base, _, err := from(t, r.config(t, "", nil), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		o, warnings, err := from(t, r.config(t, "", nil), nil, []string{r.variable + "=" + asText(t, r.value)})
		if err != nil || !slices.ContainsFunc(warnings, func(w string) bool { return strings.Contains(w, r.variable) && strings.Contains(w, r.option) }) {
			t.Errorf("%s: %v, warnings %q", r.variable, err, warnings)
		} else if !reflect.DeepEqual(base, o) {
			t.Errorf("%s has an effect", r.variable)
		}
	}
}

// TestTableIsWhole: every option we know is parse-server's, or ours and said to be so.
func TestTableIsWhole(t *testing.T) {
	inTable := map[string]row{}
	for _, r := range table(t) {
		inTable[r.option] = r
	}
	check := func(path string, d definition) {
		r, ok := inTable[path]
		if !ok {
			if path != "filesFolder" {
				t.Errorf("parse-server has no option %s", path)
			}
			return
		}
		if d.env != r.variable {
			t.Errorf("%s: the variable is %s, want %s", path, d.env, r.variable)
		}
		delete(inTable, path)
	}
	for _, d := range definitions {
		check(d.name, d)
	}
	for _, groups := range []map[string][]definition{nested, nestedDatabase} {
		for path, group := range groups {
			for _, d := range group {
				check(path+"."+d.name, d)
			}
		}
	}
	for _, path := range slices.Sorted(maps.Keys(inTable)) {
		t.Errorf("we don't know %s", path)
	}
}

// TestWrongTypes: whatever an option is given, it is taken, or refused by name.
func TestWrongTypes(t *testing.T) {
	values := []any{true, false, nil, 7.0, -1.5, "", "x", []any{}, []any{1.0}, []any{"x"}, []any{nil}, []any{map[string]any{}}, map[string]any{}, map[string]any{"zz": 1.0}, []any{[]any{}}}
	squeeze := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, " ", "")) }
	for _, r := range table(t) {
		top, _, _ := strings.Cut(r.option, ".")
		top = squeeze(strings.TrimSuffix(strings.TrimSuffix(top, "[]"), "Options"))
		for _, v := range values {
			_, _, err := from(t, r.config(t, r.option, v), nil, nil)
			if err == nil || strings.Contains(squeeze(err.Error()), top) || strings.Contains(err.Error(), r.option[strings.LastIndex(r.option, ".")+1:]) {
				continue
			}
			t.Errorf("%s = %v: the error doesn't name the option: %v", r.option, v, err)
		}
	}
}
