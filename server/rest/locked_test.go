package rest_test

import (
	"encoding/json"
	"testing"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
)

// TestDefinedClasses: classes of the configuration are there before the first request, closed to new fields, and locked
// if it says so.
func TestDefinedClasses(t *testing.T) {
	w := start(t, server.Environment{}, func(o *config.Options) {
		o.ReadOnlyMasterKey = "RO"
		o.Schema = &config.Schema{LockSchemas: true, Definitions: []config.ClassDefinition{{
			ClassName: "Shop", Fields: json.RawMessage(`{"name":{"type":"String","required":true},"stars":{"type":"Number","defaultValue":3}}`),
			ClassLevelPermissions: json.RawMessage(`{"create":{"*":true},"get":{"*":true},"update":{"*":true}}`),
		}}}
	})
	const locked = `{"code":119,"error":"Cannot perform this operation when schemas options is used."}`
	readOnly := app("X-Parse-Master-Key", "RO")
	w.run([]Scenario{
		{Name: "it is there", Method: "GET", Path: "/schemas/Shop", Headers: master(), Status: 200, Subset: `{"fields":{"name":{"type":"String","required":true},"stars":{"type":"Number","defaultValue":3}}}`},
		{Name: "with its rules", Method: "POST", Path: "/classes/Shop", Headers: app(), Body: `{}`, Status: 400, Exact: `{"code":142,"error":"name is required"}`},
		{Name: "and its permissions", Method: "GET", Path: "/classes/Shop", Headers: app(), Status: 400, Exact: `{"code":119,"error":"Permission denied"}`},
		{Name: "a client adds no field", Method: "POST", Path: "/classes/Shop", Headers: app(), Body: `{"name":"x","more":1}`, Status: 400, Exact: `{"code":119,"error":"Permission denied"}`},
		{Name: "the master key does", Method: "POST", Path: "/classes/Shop", Headers: master(), Body: `{"name":"x","more":1}`, Status: 201, Subset: `{"stars":3}`},
		{Name: "no class is made", Method: "POST", Path: "/schemas/More", Headers: master(), Body: `{}`, Status: 400, Exact: locked},
		{Name: "whoever asks", Method: "POST", Path: "/schemas/More", Headers: readOnly, Body: `{}`, Status: 400, Exact: locked},
		{Name: "none is changed", Method: "PUT", Path: "/schemas/Shop", Headers: master(), Body: `{"fields":{"x":{"type":"String"}}}`, Status: 400, Exact: locked},
		{Name: "the key is asked first", Method: "PUT", Path: "/schemas/Shop", Headers: app(), Body: `{}`, Status: 403},
		{Name: "a class with objects stays", Method: "DELETE", Path: "/schemas/Shop", Headers: master(), Status: 400, Has: []string{"is not empty"}},
		{Name: "objects may go", Method: "DELETE", Path: "/purge/Shop", Headers: master(), Status: 200},
		{Name: "then the class too", Method: "DELETE", Path: "/schemas/Shop", Headers: master(), Status: 200},
	})
}
