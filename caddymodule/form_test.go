package caddymodule

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/cloud"
)

// TestFormsOfFunctions calls a function with a form through the gateway, which streams it: its credentials are header
// fields, and what the form says of app and method is a parameter.
func TestFormsOfFunctions(t *testing.T) {
	s := newOwnSite(t, tampering{}, func(c *cloud.Cloud) error {
		return c.Define("echo", func(_ context.Context, r *cloud.Request) (any, error) {
			f, _ := r.Params["f"].(map[string]any)
			data, _ := f["data"].([]byte)
			return map[string]any{"size": float64(len(data)), "app": r.Params["_ApplicationId"], "method": r.Params["_method"], "master": r.Master}, nil
		}, cloud.Validator{})
	})
	part := func(name, content string) string {
		return "--b\r\nContent-Disposition: form-data; name=" + name + "\r\n\r\n" + content + "\r\n"
	}
	form := part("_ApplicationId", ownApp) + part("_method", "GET") + part("_MasterKey", ownMaster) + part(`"f"; filename="x"`, strings.Repeat("x", 300_000)) + "--b--\r\n"
	for _, test := range []struct {
		name string
		who  asker
		want string
	}{
		{"the keys in header fields", byREST, `200 {"result":{"app":"` + ownApp + `","size":300000,"master":false,"method":"GET"}}`},
		{"with the master key", byMaster, `200 {"result":{"app":"` + ownApp + `","size":300000,"master":true,"method":"GET"}}`},
		{"the keys in the form", asker{}, `403 {"error":"unauthorized"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			rec := s.ask(s.server, test.who.with(test.name, "Content-Type", "Multipart/form-data; boundary=b"), "POST", "/parse/functions/echo", form)
			if got := fmt.Sprint(rec.Code, " ", rec.Body); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}
