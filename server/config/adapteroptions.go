package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// adapterOptions are the options of an adapter, or of one object among them.
type adapterOptions struct {
	path   string // of the object: "s3overrides."
	values map[string]any
	env    map[string]string
	within []*adapterOptions
	errs   []error
	parent *adapterOptions
}

// take returns an option and remembers that it is known.
func (a *adapterOptions) take(name string) (v any, given bool) {
	v, given = a.values[name]
	delete(a.values, name)
	return v, given && v != nil
}

// below returns the object that an option is.
func (a *adapterOptions) below(name string) *adapterOptions {
	b := &adapterOptions{path: a.path + name + ".", parent: a}
	a.within = append(a.within, b)
	v, given := a.take(name)
	if values, ok := v.(map[string]any); ok {
		b.values = maps.Clone(values)
	} else if given {
		a.refuse(name, "must be an object")
	}
	return b
}

// text returns an option that is text: as given, else of the environment, else the default.
func (a *adapterOptions) text(name, variable, otherwise string) string {
	switch v, given := a.take(name); v := v.(type) {
	case string:
		if v != "" {
			return v
		}
	case bool:
		if v {
			a.refuse(name, "must be text")
		}
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		if given {
			a.refuse(name, "must be text")
		}
	}
	if v := a.env[variable]; v != "" {
		return v
	}
	return otherwise
}

// flag returns an option that is on or off.
func (a *adapterOptions) flag(name, variable string) bool {
	v, _ := a.take(name)
	switch v := v.(type) {
	case bool:
		if v {
			return true
		}
	case float64:
		if v != 0 {
			return true
		}
	case string:
		if on(v) {
			return true
		}
	}
	return on(a.env[variable])
}

// on says whether a text switches something on. That any text but none would, as in JavaScript, makes files public whose
// owner wrote "false".
func on(s string) bool { return s != "" && s != "0" && !strings.EqualFold(s, "false") }

// seconds returns an option that is a duration.
func (a *adapterOptions) seconds(name, variable string, otherwise int) int {
	s := a.text(name, variable, "")
	if s == "" {
		return otherwise
	}
	n, ok := leadingInt(s)
	if !ok || n < 1 || n > 7*24*3600 {
		a.refuse(name, "must be a number of seconds, at most 604800")
		return otherwise
	}
	return int(n)
}

// address returns an option that is a URL.
func (a *adapterOptions) address(name, variable string) string {
	s := strings.TrimRight(a.text(name, variable, ""), "/")
	a.checkAddress(name, s)
	return s
}

func (a *adapterOptions) checkAddress(name, s string) {
	if u, err := url.Parse(s); s != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		a.refuse(name, "must be a URL that begins with http:// or https://")
	}
}

// json returns an option that is an object, as JSON.
func (a *adapterOptions) json(name string) SecretJSON {
	v, given := a.take(name)
	if !given {
		return nil
	}
	if _, ok := v.(map[string]any); !ok {
		a.refuse(name, "must be an object")
		return nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		a.refuse(name, "must be an object")
	}
	return data
}

func (a *adapterOptions) require(name, variable, value string) {
	if value == "" {
		a.refuse(name, "or the environment variable "+variable+" is required")
	}
}

// checkPrefix refuses prefixes that object stores and proxies understand in different ways.
func (a *adapterOptions) checkPrefix(name, prefix string) {
	if strings.HasPrefix(prefix, "/") || strings.Contains(prefix, "//") || strings.Contains(prefix, "..") || strings.ContainsFunc(prefix, func(r rune) bool { return r < ' ' || r == '\\' }) {
		a.refuse(name, `must not begin with / nor hold //, .., \ or control characters`)
	}
}

// refuse tells what is wrong, without the value, which may be a secret.
func (a *adapterOptions) refuse(name, why string) {
	top := a
	for top.parent != nil {
		top = top.parent
	}
	top.errs = append(top.errs, fmt.Errorf("option filesAdapter.options.%s%s %s", a.path, name, why))
}

// left are the options that nobody took.
func (a *adapterOptions) left() []string {
	var names []string
	a.collect(&names)
	slices.Sort(names)
	return names
}

func (a *adapterOptions) collect(names *[]string) {
	for name, v := range a.values {
		if v != nil {
			*names = append(*names, a.path+name)
		}
	}
	for _, b := range a.within {
		b.collect(names)
	}
}
