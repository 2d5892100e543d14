package config

import (
	"slices"
	"strings"
	"testing"
)

func TestDatabaseOptions(t *testing.T) {
	const pg = "postgres://u:secret@h/db?max=7&sslmode=prefer"
	for _, test := range []struct {
		name, uri, options string
		// want is the address that becomes of it; "" means the one given. err and warning are parts of those.
		want, err, warning string
	}{
		{"nothing", pg, `{}`, "", "", ""},
		{"off", pg, `null`, "", "", ""},
		{"no object", pg, `[]`, "", "databaseOptions must be an object", ""},
		{"the pool", pg, `{"max":20,"idleTimeoutMillis":1000,"connectionTimeoutMillis":1500,"query_timeout":9}`,
			"postgres://u:secret@h/db?connect_timeout=2&idleTimeoutMillis=1000&max=20&query_timeout=9&sslmode=prefer", "", ""},
		{"names and time-outs", pg, `{"application_name":"a b","statement_timeout":"5s"}`,
			"postgres://u:secret@h/db?application_name=a+b&max=7&sslmode=prefer&statement_timeout=5s", "", ""},
		{"TLS", "postgres://h/db", `{"ssl":true}`, "postgres://h/db?ssl=true", "", ""},
		{"TLS unchecked", "postgresql://h/db", `{"ssl":{"rejectUnauthorized":false}}`, "postgresql://h/db?rejectUnauthorized=false&ssl=true", "", ""},
		{"TLS with a certificate", pg, `{"ssl":{"ca":"-----BEGIN"}}`, "", "option databaseOptions.ssl.ca is not supported by this server; name the files", ""},
		{"nothing to do", pg, `{"keepAlive":true,"binary":false,"min":1,"enableSchemaHooks":false,"max":null}`, "", "", ""},
		{"no number", pg, `{"max":[1]}`, "", "option databaseOptions.max must be a number or a string", ""},
		{"negative", pg, `{"max":-1}`, "", "option databaseOptions.max must be a whole number that isn't negative", ""},
		{"host", pg, `{"host":"h"}`, "", "option databaseOptions.host is not supported by this server; write it into databaseURI", ""},
		{"on SQLite", "sqlite://p.db", `{"max":20}`, "", "", "it is for PostgreSQL"},
		{"indexes on SQLite", "sqlite://p.db", `{"createIndexRoleName":false}`, "", "", "option databaseOptions.createIndexRoleName has no effect: it is for PostgreSQL"},
		{"explain", pg, `{"allowPublicExplain":"yes"}`, "", "Parse Server option 'databaseOptions.allowPublicExplain' must be a boolean.", ""},
		{"hooks", pg, `{"enableSchemaHooks":1}`, "", "databaseOptions.enableSchemaHooks must be a boolean", ""},
		{"indexes", pg, `{"createIndexRoleName":0}`, "", "databaseOptions.createIndexRoleName must be a boolean", ""},
		{"schema", pg, `{"schemaCacheTtl":"1"}`, "", "databaseOptions.schemaCacheTtl must be a number", ""},
		{"a parameter that can't be read", "postgres://h/db?a=%zz", `{"max":1}`, "", "databaseURI: its parameters are not well encoded", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			o, warnings, err := load(t, slices.Concat(required, []string{"--databaseURI", test.uri, "config.json"}), nil, `{"databaseOptions":`+test.options+`}`)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "secret") {
					t.Errorf("error %v, want %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if test.want == "" {
				test.want = test.uri
			}
			if string(o.DatabaseURI) != test.want {
				t.Errorf("the address became %s, want %s", string(o.DatabaseURI), test.want)
			}
			if all := strings.Join(warnings, "\n"); test.warning == "" && all != "" || !strings.Contains(all, test.warning) {
				t.Errorf("warnings %q, want %q", warnings, test.warning)
			}
		})
	}
	o, _, err := load(t, append(slices.Clone(required), "config.json"), nil, `{"databaseURI":"postgres://h/d","databaseOptions":{"allowPublicExplain":true,"createIndexUserEmail":false,"createIndexRoleName":true}}`)
	if err != nil || !o.AllowPublicExplain || !slices.Equal(o.SkipIndexes, []string{"createIndexUserEmail"}) {
		t.Errorf("%v, %+v", err, o)
	}
}
