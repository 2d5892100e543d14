//nolint:revive,staticcheck // the messages are parse-server's, word for word
package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ErrHelp: the command line asks for help.
var ErrHelp = errors.New("help requested")

// Sources is where options come from. A flag wins over the environment, the environment over the file.
type Sources struct {
	// Args are the command line's arguments after the command: flags (--name value or --name=value) and the name of at
	// most one JSON file.
	Args []string
	// Env are the environment variables, as os.Environ returns them.
	Env []string
	// ReadFile reads the JSON file.
	ReadFile func(name string) ([]byte, error)
}

// Load reads options and checks them. The remarks name options that have no effect here.
func Load(s Sources) (o *Options, remarks []string, err error) {
	w := &warnings{}
	flags, file, err := parseArgs(s.Args, w)
	if err != nil {
		return nil, nil, err
	}
	merged := map[string]any{}
	if file != "" {
		data, err := s.ReadFile(file)
		if err != nil {
			return nil, nil, fmt.Errorf("cannot read the configuration: %w", err)
		}
		if merged, err = parseFile(data, w); err != nil {
			return nil, nil, fmt.Errorf("cannot use the configuration %s: %w", file, err)
		}
	}
	env := variables(s.Env)
	for _, d := range definitions {
		if text, ok := env[d.env]; ok {
			if merged[d.name], err = d.value(text, w); err != nil {
				return nil, nil, fmt.Errorf("cannot use the environment variable %s: %w", d.env, err)
			}
		}
	}
	w.environment(env)
	maps.Copy(merged, flags)
	return build(merged, env, w)
}

// FromJSON reads options from one JSON object, as a gateway hands them to its workers, and checks them. Of the environment,
// as os.Environ returns it, only the variables of files adapters count.
func FromJSON(data []byte, env ...string) (o *Options, remarks []string, err error) {
	w := &warnings{}
	values, err := parseFile(data, w)
	if err != nil {
		return nil, nil, err
	}
	return build(values, variables(env), w)
}

// variables are the environment's that are set to something.
func variables(env []string) map[string]string {
	m := map[string]string{}
	for _, kv := range env {
		if k, v, ok := strings.Cut(kv, "="); ok && v != "" {
			m[k] = v
		}
	}
	return m
}

// parseArgs splits the command line into flags and the name of the configuration file.
func parseArgs(args []string, w *warnings) (flags map[string]any, file string, err error) {
	flags = map[string]any{}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		name, isFlag := strings.CutPrefix(arg, "--")
		switch {
		case arg == "--":
			continue
		case arg == "-h" || arg == "--help":
			return nil, "", ErrHelp
		case !isFlag && strings.HasPrefix(arg, "-"):
			return nil, "", unknown(arg)
		case !isFlag && file != "":
			return nil, "", fmt.Errorf("more than one configuration file: %s and %s", file, arg)
		case !isFlag:
			file = arg
			continue
		}
		name, text, hasText := strings.Cut(name, "=")
		d, ok := define(name)
		if !ok {
			return nil, "", unknown("--" + name)
		}
		if !hasText {
			// A flag of kind boolean may stand alone; any other takes the next argument.
			if i+1 < len(args) && !strings.HasPrefix(args[i+1], "--") && (d.kind != boolean || isBoolean(args[i+1])) {
				i++
				text = args[i]
			} else if d.kind == boolean {
				text = "true"
			} else {
				return nil, "", fmt.Errorf("error: option '--%s' needs a value", name)
			}
		}
		if flags[name], err = d.value(text, w); err != nil {
			return nil, "", err
		}
	}
	return flags, file, nil
}

func isBoolean(s string) bool { return s == "true" || s == "false" || s == "1" || s == "0" }

// parseFile reads a configuration file: one object of options, or {"apps":[{…}]} with one app.
func parseFile(data []byte, w *warnings) (map[string]any, error) {
	var raw map[string]any
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("it is not a JSON object: %w", err)
	}
	if apps, ok := raw["apps"]; ok {
		list, _ := apps.([]any)
		if len(list) > 1 {
			return nil, errors.New("Multiple apps are not supported")
		}
		if len(list) == 0 {
			return nil, errors.New("apps is not an array with an app in it")
		}
		app, ok := list[0].(map[string]any)
		if !ok {
			return nil, errors.New("apps[0] is not an object")
		}
		raw = app
	}
	values := make(map[string]any, len(raw))
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		d, ok := define(name)
		if !ok {
			return nil, unknown(name)
		}
		v, err := d.value(raw[name], w)
		if err != nil {
			return nil, err
		}
		values[name] = v
	}
	return values, nil
}

// build lays values over the defaults and checks the result.
func build(values map[string]any, env map[string]string, w *warnings) (*Options, []string, error) {
	o := Default()
	if err := w.sort(values); err != nil {
		return nil, nil, err
	}
	params, err := o.takeDatabaseOptions(values, w)
	if err != nil {
		return nil, nil, err
	}
	if err := o.takeFilesAdapter(values, env, w); err != nil {
		return nil, nil, err
	}
	sensitive := values["userSensitiveFields"]
	delete(values, "userSensitiveFields")
	for _, check := range []func(map[string]any) error{checkShapes, checkAccounts, w.checkRateLimit, checkSchema, w.sortHonoured} {
		if err := check(values); err != nil {
			return nil, nil, err
		}
	}
	if err := o.decode(values); err != nil {
		return nil, nil, err
	}
	if err := o.mergeProtectedFields(sensitive); err != nil {
		return nil, nil, err
	}
	if err := o.addParameters(params, w); err != nil {
		return nil, nil, err
	}
	if err := o.Validate(); err != nil {
		return nil, nil, err
	}
	if strings.ContainsAny(o.AppID, ":/?#[]@!$&'()*+,;=% ") {
		w.add("the appId holds characters that are special in URLs; file URLs with it may not work everywhere")
	}
	return o, w.list, nil
}

// mergeProtectedFields adds parse-server's own protected fields, and those of the older option userSensitiveFields.
func (o *Options) mergeProtectedFields(sensitive any) error {
	if o.ProtectedFields == nil {
		o.ProtectedFields = map[string]map[string][]string{}
	}
	users := o.ProtectedFields["_User"]
	if users == nil {
		users = map[string][]string{}
		o.ProtectedFields["_User"] = users
	}
	_, configured := users["*"]
	add := []string{}
	if o.ProtectedFieldsOwnerExempt || !configured {
		add = append(add, "email")
	}
	list, _ := sensitive.([]any)
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			return errors.New("option userSensitiveFields must be an array of strings")
		}
		add = append(add, s)
	}
	for _, f := range add {
		if !slices.Contains(users["*"], f) {
			users["*"] = append(users["*"], f)
		}
	}
	return nil
}
