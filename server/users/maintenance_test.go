package users_test

import (
	"testing"

	"github.com/parsescale/parsescale/server/users/apptest"
)

// TestMaintenanceKey: it alone reads, finds by and writes what the server keeps of accounts, but never the hash of the
// password, and the answers about oneself show nothing of it.
func TestMaintenanceKey(t *testing.T) {
	a := apptest.New(t, nil)
	const bare = `{"objectId":"<ann>","createdAt":"<ts>","updatedAt":"<ts>","username":"ann","ACL":{"<ann>":{"read":true,"write":true}}`
	a.Play(t, []apptest.Step{
		signUp("ann"),
		{Who: "maintenance", Do: "PUT /users/<ann>", Body: `{"_perishable_token":"t1","_failed_login_count":2}`, Want: updated},
		{Who: "maintenance", Do: "GET /users/<ann>", Want: `{"objectId":"<ann>","createdAt":"<ts>","updatedAt":"<ts>","username":"ann","_failed_login_count":2,"_perishable_token":"t1","ACL":<any>}`},
		{Who: "maintenance", Do: `GET /users?where={"_perishable_token":"t1"}&keys=_failed_login_count`, Want: `{"results":[{"objectId":"<ann>","createdAt":"<ts>","updatedAt":"<ts>","_failed_login_count":2,"ACL":<any>}]}`},
		{Who: "maintenance", Do: `GET /users?where={"_perishable_token":{"$regex":"^t"}}&excludeKeys=_perishable_token,ACL`, Want: `{"results":[{"objectId":"<ann>","createdAt":"<ts>","updatedAt":"<ts>","username":"ann","_failed_login_count":2,"ACL":<any>}]}`},
		{Who: "maintenance", Do: "GET /users?keys=_hashed_password", Want: `{"results":[{"objectId":"<ann>","createdAt":"<ts>","updatedAt":"<ts>","ACL":<any>}]}`},
		{Who: "maintenance", Do: "PUT /users/<ann>", Body: `{"_rperm":["*"]}`, Status: 400, Want: `{"code":105,"error":"Invalid field name: _rperm."}`},
		{Who: "maintenance", Do: "PUT /users/<ann>", Body: `{"_failed_login_count":"x"}`, Status: 400, Want: `{"code":111,"error":"schema mismatch for _User._failed_login_count; expected Number but got String"}`},
		{Who: "maintenance", Do: "POST /login", Body: `{"username":"ann","password":"pw"}`, Want: bare + `,"sessionToken":"<tok2>"}`},
		{Who: "maintenance", Do: "POST /verifyPassword", Body: `{"username":"ann","password":"pw"}`, Want: bare + `}`},
		{Who: "maintenance <tok2>", Do: "GET /users/me", Want: bare + `,"sessionToken":"<tok2>"}`},
		{Who: "master", Do: "GET /users/<ann>?keys=_perishable_token", Want: `{"objectId":"<ann>","createdAt":"<ts>","updatedAt":"<ts>","ACL":<any>}`},
		{Who: "master", Do: "PUT /users/<ann>", Body: `{"_perishable_token":"t2"}`, Status: 400, Want: `{"code":105,"error":"Invalid field name: _perishable_token."}`},
		{Who: "<tokann>", Do: "PUT /users/<ann>", Body: `{"_perishable_token":"t2"}`, Status: 400, Want: `{"code":105,"error":"Invalid field name: _perishable_token."}`},
		{Who: "<tokann>", Do: `GET /users?where={"_perishable_token":"t1"}`, Status: 400, Want: `{"code":105,"error":"Invalid key name: _perishable_token"}`},
		{Who: "maintenance", Do: "PUT /users/<ann>", Body: `{"password":"new"}`, Want: updated},
		{Who: "<tokann>", Do: "GET /users/me", Status: 400, Want: `{"code":209,"error":"Invalid session token"}`},
	})
}

// TestRolesAreInherited: upwards through any number of roles, in circles too, and not any more once a link is gone.
func TestRolesAreInherited(t *testing.T) {
	a := apptest.New(t, nil)
	role := func(name, relation string) apptest.Step {
		return apptest.Step{
			Who: "master", Do: "POST /roles", Body: `{"name":"` + name + `","ACL":{"*":{"read":true}},` + relation + `}`,
			Want: `{"objectId":"<` + name + `>","createdAt":"<ts>"}`,
		}
	}
	holds := func(name string) string {
		return `"roles":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"_Role","objectId":"<` + name + `>"}]}`
	}
	sees := func(who string, names ...string) apptest.Step {
		want := ""
		for _, n := range names {
			if want != "" {
				want += ","
			}
			want += `{"objectId":"<any>","createdAt":"<ts>","updatedAt":"<ts>","n":"` + n + `","ACL":<any>}`
		}
		return apptest.Step{Who: who, Do: "GET /classes/Doc?order=n", Want: `{"results":[` + want + `]}`}
	}
	steps := []apptest.Step{
		signUp("ann"), signUp("bob"),
		role("R1", `"users":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"_User","objectId":"<ann>"}]}`),
		role("R2", holds("R1")), role("R3", holds("R2")),
		{Who: "master", Do: "PUT /roles/<R1>", Body: `{` + holds("R3") + `}`, Want: updated},
		role("R4", `"users":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"_User","objectId":"<bob>"}]}`),
		{Who: "master", Do: "PUT /roles/<R4>", Body: `{` + holds("R4") + `}`, Want: updated},
	}
	for _, n := range []string{"R1", "R2", "R3", "R4"} {
		steps = append(steps, apptest.Step{Who: "master", Do: "POST /classes/Doc", Body: `{"n":"` + n + `","ACL":{"role:` + n + `":{"read":true}}}`, Want: `{<any>}`})
	}
	a.Play(t, append(steps,
		sees("<tokann>", "R1", "R2", "R3"), sees("<tokbob>", "R4"), sees("public"),
		apptest.Step{Who: "master", Do: "PUT /roles/<R2>", Body: `{"roles":{"__op":"RemoveRelation","objects":[{"__type":"Pointer","className":"_Role","objectId":"<R1>"}]}}`, Want: updated},
		sees("<tokann>", "R1"),
		apptest.Step{Who: "master", Do: "DELETE /roles/<R1>", Want: `{}`},
		sees("<tokann>"),
		// A role of the same name made later isn't the one that was deleted.
		apptest.Step{Who: "master", Do: "POST /roles", Body: `{"name":"R1","ACL":{"*":{"read":true}}}`, Want: `{<any>}`}, sees("<tokann>"),
	))
}
