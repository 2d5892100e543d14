package rest_test

import (
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
)

// TestProtectedFieldsInAnswersToWrites: protectedFieldsSaveResponseExempt, both ways.
func TestProtectedFieldsInAnswersToWrites(t *testing.T) {
	for _, exempt := range []bool{true, false} {
		w := start(t, server.Environment{}, func(o *config.Options) {
			o.ProtectedFieldsSaveResponseExempt = exempt
			o.ProtectedFields = map[string]map[string][]string{"_User": {"*": {"email", "n"}}, "A": {"*": {"n", "o"}}}
		})
		shown := func(name, body, field string, want bool) {
			t.Helper()
			if got := strings.Contains(body, `"`+field+`"`); got != want {
				t.Errorf("exempt %v, %s: %s is shown: %v, want %v: %s", exempt, name, field, got, want, body)
			}
		}
		const add = `{"n":{"__op":"Increment","amount":1},"s":{"__op":"Increment","amount":1}}`
		created := w.do("POST", "/classes/A", add, app())
		shown("create", created.body, "n", exempt)
		shown("create", created.body, "s", true)
		path := "/classes/A/" + member(t, created.body, "objectId")
		shown("update", w.do("PUT", path, add, app()).body, "n", exempt)
		shown("dotted update", w.do("PUT", path, `{"o.k":{"__op":"Increment","amount":1}}`, app()).body, "o", exempt)
		shown("batch", w.do("POST", "/batch", `{"requests":[{"method":"PUT","path":"/parse`+path+`","body":`+add+`}]}`, app()).body, "n", exempt)
		shown("master key", w.do("PUT", path, add, master()).body, "n", true)
		user := w.do("POST", "/users", `{"username":"u","password":"p","n":{"__op":"Increment","amount":1}}`, app())
		shown("sign-up", user.body, "n", exempt)
		own := w.do("PUT", "/users/"+member(t, user.body, "objectId"), add, app("X-Parse-Session-Token", member(t, user.body, "sessionToken")))
		shown("one's own user", own.body, "n", true)
	}
}
