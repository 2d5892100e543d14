package matcher

import (
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types/ref"
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/parsescale/parsescale/caddymodule/inspect"
	"github.com/parsescale/parsescale/caddymodule/setting"
	"github.com/parsescale/parsescale/policies/ratelimit"
)

// UnmarshalCaddyfile reads:
//
//	@name parse [<one of the settings>] {
//		mount      <path>
//		app        <application id> ...
//		operation  read|write|login|function|aggregate|push|files|<operation> ...
//		class      <class> ...
//		function   <name> ...
//		master_key presented|absent
//		only
//	}
func (m *Match) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	for d.Next() {
		if d.NextArg() {
			if err := m.unmarshalSetting(d); err != nil {
				return err
			}
		}
		for nesting := d.Nesting(); d.NextBlock(nesting); {
			if err := m.unmarshalSetting(d); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *Match) unmarshalSetting(d *caddyfile.Dispenser) error {
	switch name := d.Val(); name {
	case "mount":
		if err := setting.Text(d, &m.Mount); err != nil {
			return err
		}
		if m.Mount = inspect.Mount(m.Mount); m.Mount == "" {
			return d.Errf("mount takes a path such as /parse, not %q", d.Val())
		}
	case "app":
		return setting.List(d, &m.Apps)
	case "operation":
		if err := setting.List(d, &m.Operations); err != nil {
			return err
		}
		for _, op := range m.Operations {
			if err := (ratelimit.Group{}).Add(op); err != nil {
				return d.WrapErr(err)
			}
		}
	case "class":
		return setting.List(d, &m.Classes)
	case "function":
		return setting.List(d, &m.Functions)
	case "master_key":
		if err := setting.Text(d, &m.MasterKey); err != nil {
			return err
		}
		if m.MasterKey != presented && m.MasterKey != absent {
			return d.Errf("master_key is presented or absent, not %q", m.MasterKey)
		}
	case "only":
		return setting.Flag(d, &m.Only)
	default:
		return d.Errf("unknown setting %q of the matcher parse; known are mount, app, operation, class, function, master_key and only", name)
	}
	return nil
}

// CELLibrary makes the matcher a function of expressions, with the settings of the Caddyfile in a map:
//
//	expression parse({'operation': 'write', 'class': ['Game', 'Score']})
func (Match) CELLibrary(ctx caddy.Context) (cel.Library, error) {
	return caddyhttp.CELMatcherImpl("parse", "parse_match_request_map", []*cel.Type{caddyhttp.CELTypeJSON},
		func(data ref.Val) (caddyhttp.RequestMatcherWithError, error) {
			given, err := caddyhttp.CELValueToMapStrList(data)
			if err != nil {
				return nil, fmt.Errorf("parse takes a map of settings and their values: %w", err)
			}
			m := new(Match)
			if err := m.fromMap(given); err != nil {
				return nil, err
			}
			return m, m.ready(ctx)
		})
}

// fromMap reads settings by way of the Caddyfile's reader, so that both take the same.
func (m *Match) fromMap(settings map[string][]string) error {
	tokens := []caddyfile.Token{{Text: "parse", File: "expression", Line: 1}}
	add := func(text string, line int) {
		tokens = append(tokens, caddyfile.Token{Text: text, File: "expression", Line: line})
	}
	add("{", 1)
	line := 1
	for name, values := range settings {
		line++
		add(name, line)
		if name == "only" && len(values) == 1 && values[0] == "true" {
			continue
		}
		for _, v := range values {
			add(v, line)
		}
	}
	add("}", line+1)
	return m.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens))
}

func (m *Match) ready(ctx caddy.Context) error {
	if err := m.Provision(ctx); err != nil {
		return err
	}
	return m.Validate()
}

var (
	_ caddyfile.Unmarshaler        = (*Match)(nil)
	_ caddyhttp.CELLibraryProducer = (*Match)(nil)
)
