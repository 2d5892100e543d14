package write_test

import (
	"testing"

	"github.com/parsescale/parsescale/server/users/apptest"
)

// signUp makes a user and names its id <name> and its token <tokName>.
func signUp(name string) apptest.Step {
	return apptest.Step{
		Do: "POST /users", Body: `{"username":"` + name + `","password":"pw"}`,
		Want: `{"objectId":"<` + name + `>","createdAt":"<ts>","sessionToken":"<tok` + name + `>"}`,
	}
}

func TestACL(t *testing.T) {
	a := apptest.New(t, nil)
	const gone = `{"code":101,"error":"Object not found."}`
	a.Play(t, []apptest.Step{
		signUp("ann"), signUp("bob"),
		{Who: "<tokann>", Do: "POST /classes/A", Body: `{"v":1,"ACL":{"<ann>":{"read":true,"write":true}}}`, Want: `{"objectId":"<o>","createdAt":"<ts>"}`},
		{Do: "GET /classes/A/<o>", Status: 404, Want: gone},
		{Who: "<tokbob>", Do: "GET /classes/A/<o>", Status: 404, Want: gone},
		{Who: "<tokann>", Do: "GET /classes/A/<o>", Want: `{"objectId":"<o>","createdAt":"<ts>","updatedAt":"<ts>","v":1,"ACL":{"<ann>":{"read":true,"write":true}}}`},
		{Who: "<tokbob>", Do: "PUT /classes/A/<o>", Body: `{"v":2}`, Status: 404, Want: gone},
		{Who: "<tokbob>", Do: "DELETE /classes/A/<o>", Status: 404, Want: gone},
		{Who: "<tokann>", Do: "PUT /classes/A/<o>", Body: `{"ACL":{"<ann>":{"read":true,"write":true},"*":{"read":true}}}`, Want: `{"updatedAt":"<ts>"}`},
		{Do: "PUT /classes/A/<o>", Body: `{"v":3}`, Status: 404, Want: gone},
		{Do: "GET /classes/A/<o>?keys=v", Want: `{"objectId":"<o>","createdAt":"<ts>","updatedAt":"<ts>","v":1,"ACL":{"*":{"read":true},"<ann>":{"read":true,"write":true}}}`},
		{Who: "<tokann>", Do: "PUT /classes/A/<o>", Body: `{"ACL":null}`, Want: `{"updatedAt":"<ts>"}`},
		{Do: "GET /classes/A/<o>?keys=v", Want: `{"objectId":"<o>","createdAt":"<ts>","updatedAt":"<ts>","v":1,"ACL":{"*":{"read":true},"<ann>":{"read":true,"write":true}}}`},
		{Who: "<tokann>", Do: "PUT /classes/A/<o>", Body: `{"ACL":{}}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "<tokann>", Do: "GET /classes/A/<o>", Status: 404, Want: gone},
		{Who: "master", Do: "GET /classes/A/<o>", Want: `{"objectId":"<o>","createdAt":"<ts>","updatedAt":"<ts>","v":1,"ACL":{}}`},
		{Who: "readonly", Do: "GET /classes/A/<o>?keys=v", Want: `{"objectId":"<o>","createdAt":"<ts>","updatedAt":"<ts>","v":1,"ACL":{}}`},
		{Who: "readonly", Do: "PUT /classes/A/<o>", Body: `{"v":2}`, Status: 400, Want: `{"code":119,"error":"Permission denied"}`},
		{Who: "readonly", Do: "DELETE /classes/A/<o>", Status: 400, Want: `{"code":119,"error":"Permission denied"}`},
		{Who: "readonly", Do: "POST /classes/A", Body: `{}`, Status: 400, Want: `{"code":119,"error":"Permission denied"}`},
	})
	for _, tt := range []struct{ name, acl, shown string }{
		{"write only", `{"*":{"write":true}}`, `{"*":{"write":true}}`},
		{"false isn't a right", `{"*":{"read":true,"write":false}}`, `{"*":{"read":true}}`},
		{"what JavaScript takes for true", `{"*":{"read":1}}`, `{"*":{"read":true}}`},
		{"not an object", `"x"`, `{}`},
		{"a list", `[]`, `{}`},
		{"rights that are none", `{"*":5,"role:A":null}`, `{}`},
		{"an operation", `{"__op":"Delete"}`, `{}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a.Play(t, []apptest.Step{
				{Do: "POST /classes/A", Body: `{"ACL":` + tt.acl + `}`, Want: `{"objectId":"<x` + "x" + `>","createdAt":"<ts>"}`},
				{Who: "master", Do: "GET /classes/A/<xx>", Want: `{"objectId":"<xx>","createdAt":"<ts>","updatedAt":"<ts>","ACL":` + tt.shown + `}`},
				{Who: "master", Do: "DELETE /classes/A/<xx>", Want: `{}`},
			})
			a.Forget("xx")
		})
	}
}

func TestDefaultACLAndFieldOptions(t *testing.T) {
	a := apptest.New(t, nil)
	a.Permissions("D", `{"find":{"*":true},"get":{"*":true},"create":{"*":true},"update":{"*":true},"addField":{"*":true},"ACL":{"currentUser":{"read":true,"write":true},"role:A":{"read":true}}}`,
		fieldOptions())
	a.Play(t, []apptest.Step{
		signUp("ann"),
		{Who: "<tokann>", Do: "POST /classes/D", Body: `{"need":"x"}`, Want: `{"objectId":"<o>","createdAt":"<ts>","ACL":{"role:A":{"read":true},"<ann>":{"read":true,"write":true}},"n":3}`},
		{Who: "<tokann>", Do: "POST /classes/D", Body: `{"need":"x","n":4,"ACL":{"*":{"read":true}}}`, Want: `{"objectId":"<p>","createdAt":"<ts>"}`},
		{Do: "POST /classes/D", Body: `{"need":"x","n":{"__op":"Delete"}}`, Want: `{"objectId":"<q>","createdAt":"<ts>","ACL":{"role:A":{"read":true}},"n":3}`},
		{Do: "POST /classes/D", Body: `{"n":1}`, Status: 400, Want: `{"code":142,"error":"need is required"}`},
		{Do: "POST /classes/D", Body: `{"need":""}`, Status: 400, Want: `{"code":142,"error":"need is required"}`},
		{Who: "<tokann>", Do: "PUT /classes/D/<o>", Body: `{"need":null}`, Status: 400, Want: `{"code":142,"error":"need is required"}`},
		{Who: "<tokann>", Do: "PUT /classes/D/<o>", Body: `{"need":{"__op":"Delete"}}`, Status: 400, Want: `{"code":142,"error":"need is required"}`},
		{Who: "<tokann>", Do: "PUT /classes/D/<o>", Body: `{"n":5}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "<tokann>", Do: "GET /classes/D/<o>?keys=n,need", Want: `{"objectId":"<o>","createdAt":"<ts>","updatedAt":"<ts>","n":5,"need":"x","ACL":{"<any>}`},
	})
}

func TestCustomObjectIDs(t *testing.T) {
	a := apptest.New(t, func(o *apptest.Options) { o.Write.AllowCustomObjectID = true })
	a.Play(t, []apptest.Step{
		{Do: "POST /classes/C", Body: `{"objectId":"my id/1","v":1}`, Want: `{"objectId":"my id/1","createdAt":"<ts>"}`},
		{Do: `GET /classes/C?where={"objectId":"my id/1"}`, Want: `{"results":[{"objectId":"my id/1","createdAt":"<ts>","updatedAt":"<ts>","v":1}]}`},
		{Do: "POST /classes/C", Body: `{"objectId":"my id/1"}`, Status: 400, Want: `{"code":137,"error":"A duplicate value for a field with unique values was provided"}`},
		{Do: "POST /classes/C", Body: `{"objectId":""}`, Status: 400, Want: `{"code":104,"error":"objectId must not be empty, null or undefined"}`},
		{Do: "POST /classes/C", Body: `{"objectId":5}`, Status: 400, Want: `{"code":111,"error":"schema mismatch for C.objectId; expected String but got Number"}`},
		{Do: "POST /users", Body: `{"objectId":"role:Admin","username":"x","password":"x"}`, Status: 400, Want: `{"code":119,"error":"Permission denied"}`},
		{Do: "POST /users", Body: `{"objectId":"*","username":"x","password":"x"}`, Status: 400, Want: `{"code":119,"error":"Permission denied"}`},
	})
}

func TestMaintenanceKey(t *testing.T) {
	a := apptest.New(t, nil)
	a.Play(t, []apptest.Step{
		signUp("ann"),
		{Who: "maintenance", Do: "POST /classes/M", Body: `{"a":1,"createdAt":{"__type":"Date","iso":"2020-01-01T00:00:00.000Z"},"updatedAt":{"__type":"Date","iso":"2020-01-02T00:00:00.000Z"}}`, Want: `{"objectId":"<o>","createdAt":"2020-01-01T00:00:00.000Z"}`},
		{Who: "maintenance", Do: "GET /classes/M", Want: `{"results":[{"objectId":"<o>","createdAt":"2020-01-01T00:00:00.000Z","updatedAt":"2020-01-02T00:00:00.000Z","a":1}]}`},
		{Who: "maintenance", Do: "POST /classes/M", Body: `{"createdAt":{"__type":"Date","iso":"2020-01-02T00:00:00.000Z"},"updatedAt":{"__type":"Date","iso":"2020-01-01T00:00:00.000Z"}}`, Status: 400, Want: `{"code":142,"error":"updatedAt cannot occur before createdAt"}`},
		{Who: "maintenance", Do: "PUT /users/<ann>", Body: `{"emailVerified":true,"_perishable_token":"x"}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "maintenance", Do: "GET /users/<ann>", Want: `{"objectId":"<ann>","createdAt":"<ts>","updatedAt":"<ts>","username":"ann","emailVerified":true,"_perishable_token":"x","ACL":{"<ann>":{"read":true,"write":true}}}`},
		{Who: "master", Do: "GET /users/<ann>", Want: `{"objectId":"<ann>","createdAt":"<ts>","updatedAt":"<ts>","username":"ann","emailVerified":true,"ACL":{"<ann>":{"read":true,"write":true}}}`},
		{Who: "master", Do: "PUT /users/<ann>", Body: `{"_perishable_token":"x"}`, Status: 400, Want: `{"code":105,"error":"Invalid field name: _perishable_token."}`},
		{Who: "<tokann>", Do: "PUT /users/<ann>", Body: `{"email":"a@x.io"}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "maintenance", Do: "GET /users/<ann>?keys=email", Want: `{"objectId":"<ann>","createdAt":"<ts>","updatedAt":"<ts>","email":"a@x.io","ACL":{"<ann>":{"read":true,"write":true}}}`},
		{Who: "maintenance", Do: "GET /users/<ann>", Want: `{"objectId":"<ann>","createdAt":"<ts>","updatedAt":"<ts>","username":"ann","email":"a@x.io","emailVerified":true,"ACL":{"<ann>":{"read":true,"write":true}}}`},
	})
}
