//nolint:revive,staticcheck // the messages are parse-server's, word for word
package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"sort"
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

// Load reads options and checks them. The warnings name options that have no effect here.
func Load(s Sources) (o *Options, warnings []string, err error) {
	flags, file, err := parseArgs(s.Args)
	if err != nil {
		return nil, nil, err
	}
	merged := map[string]any{}
	if file != "" {
		data, err := s.ReadFile(file)
		if err != nil {
			return nil, nil, fmt.Errorf("cannot read the configuration: %w", err)
		}
		if merged, err = parseFile(data); err != nil {
			return nil, nil, fmt.Errorf("cannot use the configuration %s: %w", file, err)
		}
	}
	env := map[string]string{}
	for _, kv := range s.Env {
		if k, v, ok := strings.Cut(kv, "="); ok && v != "" {
			env[k] = v
		}
	}
	for _, d := range definitions {
		if text, ok := env[d.env]; ok {
			if merged[d.name], err = d.value(text); err != nil {
				return nil, nil, fmt.Errorf("cannot use the environment variable %s: %w", d.env, err)
			}
		}
	}
	maps.Copy(merged, flags)
	return build(merged)
}

// FromJSON reads options from one JSON object, as a gateway hands them to its workers, and checks them.
func FromJSON(data []byte) (o *Options, warnings []string, err error) {
	values, err := parseFile(data)
	if err != nil {
		return nil, nil, err
	}
	return build(values)
}

// parseArgs splits the command line into flags and the name of the configuration file.
func parseArgs(args []string) (flags map[string]any, file string, err error) {
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
			return nil, "", fmt.Errorf("error: unknown option '%s'", arg)
		case !isFlag && file != "":
			return nil, "", fmt.Errorf("more than one configuration file: %s and %s", file, arg)
		case !isFlag:
			file = arg
			continue
		}
		name, text, hasText := strings.Cut(name, "=")
		d, ok := define(name)
		if !ok {
			return nil, "", fmt.Errorf("error: unknown option '--%s'", name)
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
		if flags[name], err = d.value(text); err != nil {
			return nil, "", err
		}
	}
	return flags, file, nil
}

func isBoolean(s string) bool { return s == "true" || s == "false" || s == "1" || s == "0" }

// parseFile reads a configuration file: one object of options, or {"apps":[{…}]} with one app.
func parseFile(data []byte) (map[string]any, error) {
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
			return nil, fmt.Errorf("error: unknown option %s", name)
		}
		v, err := d.value(raw[name])
		if err != nil {
			return nil, err
		}
		values[name] = v
	}
	return values, nil
}

// build lays values over the defaults and checks the result.
func build(values map[string]any) (*Options, []string, error) {
	o := Default()
	if err := o.takePublicExplain(values); err != nil {
		return nil, nil, err
	}
	var ignored []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v := values[name]
		d, _ := define(name)
		switch {
		case v == nil:
			if name == "fileUpload" || name == "fileDownload" {
				return nil, nil, fmt.Errorf("%s must be an object value.", name)
			}
			delete(values, name)
		case d.support == harmless:
			ignored = append(ignored, name)
			delete(values, name)
		case d.support == refused:
			if !d.off(v) {
				return nil, nil, fmt.Errorf("option %s is not supported yet by this server; leave it out, or keep such requests on parse-server for Node behind the gateway", name)
			}
			delete(values, name)
		}
	}
	if err := o.takeFilesAdapter(values); err != nil {
		return nil, nil, err
	}
	sensitive := values["userSensitiveFields"]
	delete(values, "userSensitiveFields")
	if err := checkShapes(values); err != nil {
		return nil, nil, err
	}
	if err := checkAccounts(values); err != nil {
		return nil, nil, err
	}
	if err := checkRateLimit(values); err != nil {
		return nil, nil, err
	}
	if err := checkSchema(values); err != nil {
		return nil, nil, err
	}
	data, err := json.Marshal(values)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read the options: %w", err)
	}
	_, ownProtected := values["protectedFields"]
	if ownProtected {
		o.ProtectedFields = nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(o); err != nil {
		return nil, nil, explain(err)
	}
	if err := o.mergeProtectedFields(sensitive); err != nil {
		return nil, nil, err
	}
	if err := o.Validate(); err != nil {
		return nil, nil, err
	}
	warnings := o.CustomPages.warnings()
	if len(ignored) > 0 {
		sort.Strings(ignored)
		warnings = append(warnings, "these options have no effect in this server: "+strings.Join(ignored, ", "))
	}
	if strings.ContainsAny(o.AppID, ":/?#[]@!$&'()*+,;=% ") {
		warnings = append(warnings, "the appId holds characters that are special in URLs; file URLs with it may not work everywhere")
	}
	return o, warnings, nil
}

// explain says what is wrong without repeating the value, which may be a secret.
func explain(err error) error {
	var t *json.UnmarshalTypeError
	if errors.As(err, &t) {
		return fmt.Errorf("option %s must be of type %s, not %s", t.Field, t.Type, t.Value)
	}
	return err
}

// takeFilesAdapter turns parse-server's file system adapter into FilesFolder.
func (o *Options) takeFilesAdapter(values map[string]any) error {
	v, ok := values["filesAdapter"]
	if !ok {
		return nil
	}
	delete(values, "filesAdapter")
	name, folder := "", ""
	switch v := v.(type) {
	case string:
		name = v
	case map[string]any:
		name, _ = v["module"].(string)
		options, _ := v["options"].(map[string]any)
		for k, ov := range options {
			if k != "filesSubDirectory" {
				return fmt.Errorf("option filesAdapter.options.%s is not supported yet by this server", k)
			}
			folder, _ = ov.(string)
		}
	}
	if name != "@parse/fs-files-adapter" {
		return errors.New("option filesAdapter is not supported yet by this server, except for @parse/fs-files-adapter; leave it out to keep files in a folder")
	}
	if _, ok := values["filesFolder"]; !ok {
		o.FilesFolder = path.Join("files", path.Join("/", folder))
	}
	return nil
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
