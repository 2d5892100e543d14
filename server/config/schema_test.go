package config

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSchemaIsChecked(t *testing.T) {
	for _, tt := range []struct{ name, schema, want string }{
		{"a list", `[1]`, "Parse Server option schema must be an object."},
		{"a text", `"x"`, "option schema is not valid JSON"},
		{"definitions", `{"definitions":{}}`, "Parse Server option schema.definitions must be an array."},
		{"strict", `{"strict":1}`, "Parse Server option schema.strict must be a boolean."},
		{"deleteExtraFields", `{"deleteExtraFields":"true"}`, "Parse Server option schema.deleteExtraFields must be a boolean."},
		{"recreateModifiedFields", `{"recreateModifiedFields":null}`, "Parse Server option schema.recreateModifiedFields must be a boolean."},
		{"lockSchemas", `{"lockSchemas":"no"}`, "Parse Server option schema.lockSchemas must be a boolean."},
		{"keepUnknownIndexes", `{"keepUnknownIndexes":0}`, "Parse Server option schema.keepUnknownIndexes must be a boolean."},
		{"beforeMigration", `{"beforeMigration":"./before.js"}`, "Parse Server option schema.beforeMigration must be a function."},
		{"afterMigration", `{"afterMigration":true}`, "Parse Server option schema.afterMigration must be a function."},
		{"a typo", `{"lockSchema":true}`, `error: unknown option schema.lockSchema; did you mean lockSchemas?`},
		{"a definition that is none", `{"definitions":["A"]}`, "schema.definitions[0] must be an object"},
		{"no name", `{"definitions":[{"className":"A"},{"fields":{}}]}`, "schema.definitions[1] has no className"},
		{"a typo in a definition", `{"definitions":[{"className":"A","field":{}}]}`, `schema.definitions[0] holds the unknown property "field"`},
		{"a class twice", `{"definitions":[{"className":"A"},{"className":"A"}]}`, `contains duplicated "className"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := load(t, []string{"config.json"}, nil, `{"appId":"app","masterKey":"m","schema":`+tt.schema+`}`)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestSchemaIsRead(t *testing.T) {
	const schema = `{"definitions":[{"className":"A","fields":{"x":{"type":"String"}},"indexes":{"i":{"x":1}},"classLevelPermissions":{"find":{"*":true}}}],"lockSchemas":true,"beforeMigration":null}`
	o, _, err := load(t, []string{"config.json"}, nil, `{"appId":"app","masterKey":"m","schema":`+schema+`}`)
	if err != nil {
		t.Fatal(err)
	}
	// A gateway hands its workers the options as JSON.
	again, err := json.Marshal(o.Schema)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(schema, `,"beforeMigration":null`, "", 1); string(again) != want {
		t.Errorf("%s, want %s", again, want)
	}
	for _, off := range []string{`null`, `false`, `0`} {
		o, _, err := load(t, []string{"config.json"}, nil, `{"appId":"app","masterKey":"m","schema":`+off+`}`)
		if err != nil || o.Schema != nil {
			t.Errorf("schema %s: %v, %v", off, o, err)
		}
	}
	o, _, err = load(t, nil, []string{"PARSE_SERVER_APPLICATION_ID=a", "PARSE_SERVER_MASTER_KEY=m", `PARSE_SERVER_SCHEMA={"strict":true}`}, "")
	if err != nil || o.Schema == nil || !o.Schema.Strict {
		t.Errorf("from the environment: %+v, %v", o, err)
	}
}
