//nolint:revive,staticcheck // some messages are parse-server's, word for word
package config

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// DatabaseOptions are those of databaseOptions that are honoured; the rest of it becomes parameters of DatabaseURI.
type DatabaseOptions struct {
	// AllowPublicExplain: everyone may ask for the database's plan of a find, not the master key alone. Default: false.
	AllowPublicExplain bool
	// SkipIndexes are options createIndex… that are off: those indexes aren't made in PostgreSQL. Default: none.
	SkipIndexes []string
}

// driverOptions are options of the Node driver of PostgreSQL, by the parameters of an address that do the same; "" for
// those that nothing need be done for.
var driverOptions = map[string]string{
	"max": "max", "poolSize": "poolSize", "idleTimeoutMillis": "idleTimeoutMillis", "query_timeout": "query_timeout",
	"statement_timeout": "statement_timeout", "lock_timeout": "lock_timeout",
	"idle_in_transaction_session_timeout": "idle_in_transaction_session_timeout", "application_name": "application_name",
	"fallback_application_name": "fallback_application_name", "client_encoding": "client_encoding",
	"connectionTimeoutMillis": "connect_timeout", "ssl": "ssl",
	"binary": "", "keepAlive": "", "keepAliveInitialDelayMillis": "", "min": "", "allowExitOnIdle": "", "maxUses": "", "maxLifetimeSeconds": "",
}

// takeDatabaseOptions reads databaseOptions and takes it out of the values. Of what is for the database's driver,
// parameters for its address are returned.
func (o *Options) takeDatabaseOptions(values map[string]any, w *warnings) (url.Values, error) {
	v, ok := values["databaseOptions"]
	if !ok {
		return nil, nil
	}
	options, ok := v.(map[string]any)
	if !ok && !off(v) {
		return nil, errors.New("databaseOptions must be an object")
	}
	delete(values, "databaseOptions")
	if err := checkDatabaseOptions(options); err != nil {
		return nil, err
	}
	params := url.Values{}
	known := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(options)) {
		v := options[name]
		param, ofDriver := driverOptions[name]
		switch {
		case v == nil:
		case ofDriver:
			if err := driverOption(params, name, param, v); err != nil {
				return nil, err
			}
		case slices.Contains([]string{"host", "port", "user", "password", "database", "connectionString"}, name):
			return nil, fmt.Errorf("option databaseOptions.%s is not supported by this server; write it into databaseURI", name)
		case name == "allowPublicExplain":
			o.AllowPublicExplain = v == true
		case strings.HasPrefix(name, "createIndex") && v == false:
			o.SkipIndexes = append(o.SkipIndexes, name)
		case slices.ContainsFunc(nestedOf("databaseOptions"), func(d definition) bool { return d.name == name }):
			known[name] = v
		default:
			// parse-server hands what it doesn't know to the driver.
			w.add("option databaseOptions.%s has no effect: this server doesn't know it%s", name, suggestion(name, "", nestedOf("databaseOptions")))
		}
	}
	return params, w.sortNested("databaseOptions", known)
}

func checkDatabaseOptions(m map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		v := m[name]
		_, isNumber := v.(float64)
		switch {
		case v == nil:
		case name == "allowPublicExplain" && !isBool(v):
			return errors.New("Parse Server option 'databaseOptions.allowPublicExplain' must be a boolean.")
		case (name == "enableSchemaHooks" || strings.HasPrefix(name, "createIndex")) && !isBool(v):
			return fmt.Errorf("databaseOptions.%s must be a boolean", name)
		case name == "schemaCacheTtl" && !isNumber:
			return errors.New("databaseOptions.schemaCacheTtl must be a number")
		}
	}
	return nil
}

// driverOption turns one option of the driver into a parameter.
func driverOption(params url.Values, name, param string, v any) error {
	if param == "" {
		return nil
	}
	switch v := v.(type) {
	case string:
		params.Set(param, v)
	case float64:
		if v < 0 || v != math.Trunc(v) || v > math.MaxInt32 {
			return fmt.Errorf("option databaseOptions.%s must be a whole number that isn't negative", name)
		}
		if name == "connectionTimeoutMillis" {
			v = math.Ceil(v / 1000) // the parameter is in seconds
		}
		params.Set(param, strconv.Itoa(int(v)))
	case bool:
		if name != "ssl" {
			return fmt.Errorf("option databaseOptions.%s must be a number or a string", name)
		}
		params.Set("ssl", strconv.FormatBool(v))
	case map[string]any:
		if name != "ssl" {
			return fmt.Errorf("option databaseOptions.%s must be a number or a string", name)
		}
		return driverTLS(params, v)
	default:
		return fmt.Errorf("option databaseOptions.%s must be a number or a string", name)
	}
	return nil
}

// driverTLS reads databaseOptions.ssl.
func driverTLS(params url.Values, m map[string]any) error {
	params.Set("ssl", "true")
	for _, name := range slices.Sorted(maps.Keys(m)) {
		b, isBool := m[name].(bool)
		if name != "rejectUnauthorized" || !isBool {
			return fmt.Errorf("option databaseOptions.ssl.%s is not supported by this server; name the files of certificates in databaseURI: ?ca=…&cert=…&key=…", name)
		}
		params.Set("rejectUnauthorized", strconv.FormatBool(b))
	}
	return nil
}

// addParameters puts parameters into the address of a PostgreSQL database, in place of its own of the same name.
func (o *Options) addParameters(params url.Values, w *warnings) error {
	scheme, _, _ := strings.Cut(string(o.DatabaseURI), "://")
	if scheme = strings.ToLower(scheme); scheme != "postgres" && scheme != "postgresql" {
		for _, name := range slices.Sorted(maps.Keys(params)) {
			w.add("option databaseOptions has no effect with %s: it is for PostgreSQL", name)
		}
		for _, name := range o.SkipIndexes {
			w.add("option databaseOptions.%s has no effect: it is for PostgreSQL", name)
		}
		return nil
	}
	if len(params) == 0 {
		return nil
	}
	base, query, _ := strings.Cut(string(o.DatabaseURI), "?")
	all, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("databaseURI: its parameters are not well encoded")
	}
	maps.Copy(all, params)
	o.DatabaseURI = Secret(base + "?" + all.Encode())
	return nil
}
