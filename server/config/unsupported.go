package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// warnings are what an operator should know of options that are accepted.
type warnings struct{ list []string }

func (w *warnings) add(format string, args ...any) {
	w.list = append(w.list, fmt.Sprintf(format, args...))
}

// noEffect warns of an option that is accepted and does nothing.
func (w *warnings) noEffect(path string) {
	if n := note(path); n != "" {
		w.add("option %s has no effect: %s", path, n)
		return
	}
	w.add("option %s has no effect", path)
}

// unsupported is the error of an option that can't be left out unnoticed.
func unsupported(path string) error {
	reason := ""
	if n := note(path); n != "" {
		reason = " (" + n + ")"
	}
	return fmt.Errorf("option %s is not supported yet by this server%s; leave it out, or keep such requests on parse-server for Node behind the gateway", path, reason)
}

// sort takes the top-level options that aren't honoured out of the values: with a warning those that are harmless, with
// an error the others, unless they ask for nothing.
func (w *warnings) sort(values map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v := values[name]
		d, _ := define(name)
		inner, isObject := v.(map[string]any)
		switch {
		case v == nil:
			if name == "fileUpload" || name == "fileDownload" {
				return fmt.Errorf("%s must be an object value.", name) //nolint:staticcheck // parse-server's words
			}
		case d.support == honoured:
			continue
		case asksNothing(name, v):
		case d.support == refused:
			return unsupported(name)
		case isObject && nestedOf(name) != nil:
			if err := w.sortNested(name, inner); err != nil {
				return err
			}
		default:
			w.noEffect(name)
		}
		delete(values, name)
	}
	return nil
}

// sortNested does the same for the options within an option, and refuses those that nobody knows.
func (w *warnings) sortNested(path string, values map[string]any) error {
	known := nestedOf(path)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v, full := values[name], path+"."+name
		i := slices.IndexFunc(known, func(d definition) bool { return d.name == name })
		if i < 0 {
			return unknownNested(path, name)
		}
		switch d := known[i]; {
		case d.support == honoured:
			if err := w.sortWithin(full, v); err != nil {
				return err
			}
			continue
		case asksNothing(full, v):
		case d.support == refused:
			return unsupported(full)
		default:
			w.noEffect(full)
		}
		delete(values, name)
	}
	return nil
}

// sortWithin goes on into an option that holds others, if it does.
func (w *warnings) sortWithin(path string, v any) error {
	switch v := v.(type) {
	case map[string]any:
		if nestedOf(path) != nil {
			return w.sortNested(path, v)
		}
	case []any:
		if nestedOf(path+"[]") == nil {
			return nil
		}
		for _, e := range v {
			if m, ok := e.(map[string]any); ok {
				if err := w.sortNested(path+"[]", m); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// sortHonoured does it for all options that are honoured and hold others.
func (w *warnings) sortHonoured(values map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if err := w.sortWithin(name, values[name]); err != nil {
			return err
		}
	}
	return nil
}

// environment warns of variables that parse-server's manual names for options within options, and doesn't read either.
func (w *warnings) environment(env map[string]string) {
	for _, groups := range []map[string][]definition{nested, nestedDatabase} {
		for _, path := range slices.Sorted(maps.Keys(groups)) {
			top, _, _ := strings.Cut(strings.TrimSuffix(path, "[]"), ".")
			d, _ := define(strings.TrimSuffix(top, "[]"))
			for _, n := range groups[path] {
				if env[n.env] != "" {
					w.add("the environment variable %s has no effect, as with parse-server: give %s in %s, as JSON", n.env, path+"."+n.name, d.env)
				}
			}
		}
	}
	if env["PARSE_SERVER_ENABLE_EXPERIMENTAL_DIRECT_ACCESS"] != "" {
		w.noEffect("directAccess")
	}
}
