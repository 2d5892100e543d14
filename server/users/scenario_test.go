package users_test

import (
	"testing"

	"github.com/parsescale/parsescale/server/users/apptest"
)

func TestAccounts(t *testing.T) {
	a := apptest.New(t, nil)
	const (
		annSelf = `{"objectId":"<ann>","createdAt":"<ts>","updatedAt":"<ts>","username":"ann","email":"ann@x.io","phone":"1","ACL":{"<ann>":{"read":true,"write":true}}`
		wrong   = `{"code":101,"error":"Invalid username/password."}`
		denied  = `{"code":206,"error":"Permission denied"}`
	)
	a.Play(t, []apptest.Step{
		{Do: "POST /users", Body: `{"username":"ann","password":"pw","email":"ann@x.io","phone":"1"}`, Want: `{"objectId":"<ann>","createdAt":"<ts>","sessionToken":"<tok1>"}`},
		{Do: "POST /users", Body: `{"username":"ANN","password":"pw"}`, Status: 400, Want: `{"code":202,"error":"Account already exists for this username."}`},
		{Do: "POST /users", Body: `{"username":"Élodie","password":"pw","email":"é@x.y"}`, Want: `{"objectId":"<elodie>","createdAt":"<ts>","sessionToken":"<tokElodie>"}`},
		{Do: "POST /users", Body: `{"username":"éLODIE","password":"pw"}`, Status: 400, Want: `{"code":202,"error":"Account already exists for this username."}`},
		{Do: "POST /users", Body: `{"username":"another","password":"pw","email":"É@X.Y"}`, Status: 400, Want: `{"code":203,"error":"Account already exists for this email address."}`},
		{Do: "POST /users", Body: `{"username":"bob","password":"pw","email":"ANN@x.io"}`, Status: 400, Want: `{"code":203,"error":"Account already exists for this email address."}`},
		{Do: "POST /users", Body: `{"username":"bob","password":"pw","email":"bad"}`, Status: 400, Want: `{"code":125,"error":"Email address format is invalid."}`},
		{Do: "POST /users", Body: `{"username":"bob","password":"pw","email":"a@b\nc"}`, Status: 400, Want: `{"code":125,"error":"Email address format is invalid."}`},
		{Do: "POST /users", Body: `{"username":"bob"}`, Status: 400, Want: `{"code":201,"error":"password is required"}`},
		{Do: "POST /users", Body: `{"password":"x"}`, Status: 400, Want: `{"code":200,"error":"bad or missing username"}`},
		{Do: "POST /users", Body: `{"username":"bob","password":5}`, Status: 400, Want: `{"code":201,"error":"password is required"}`},
		{Do: "POST /users", Body: `{"username":"bob","password":"x","emailVerified":true}`, Status: 400, Want: `{"code":119,"error":"Permission denied"}`},
		{Do: "POST /users", Body: `{"username":"bob","password":"x","email":5}`, Status: 400, Want: `{"code":111,"error":"schema mismatch for _User.email; expected String but got Number"}`},
		{Who: "installation=i1", Do: "POST /users", Body: `{"username":"bob","password":"pw"}`, Want: `{"objectId":"<bob>","createdAt":"<ts>","sessionToken":"<tokb>"}`},
		{Who: "installation=cloud", Do: "POST /users", Body: `{"username":"cloud","password":"pw"}`, Want: `{"objectId":"<c>","createdAt":"<ts>"}`},
		{Who: "master", Do: "POST /users", Body: `{"username":"made","password":"pw"}`, Want: `{"objectId":"<m>","createdAt":"<ts>"}`},

		{Do: "POST /login", Body: `{"username":"ann","password":"pw"}`, Want: annSelf + `,"sessionToken":"<tok2>"}`},
		{Who: "r:nosuch", Do: "POST /login", Body: `{"email":"ann@x.io","password":"pw"}`, Want: annSelf + `,"sessionToken":"<tok3>"}`},
		{Do: "POST /login", Body: `{"username":"ann@x.io","password":"pw"}`, Want: annSelf + `,"sessionToken":"<tok4>"}`},
		{Do: "POST /login", Body: `{"username":"ann","email":"ann@x.io","password":"pw"}`, Want: annSelf + `,"sessionToken":"<tok5>"}`},
		{Do: "POST /login", Body: `{"username":"bob","email":"ann@x.io","password":"pw"}`, Status: 404, Want: wrong},
		{Do: "POST /login", Body: `{"username":"ann","password":"bad"}`, Status: 404, Want: wrong},
		{Do: "POST /login", Body: `{"username":"nobody","password":"pw"}`, Status: 404, Want: wrong},
		{Do: "POST /login", Body: `{"username":"ann"}`, Status: 400, Want: `{"code":201,"error":"password is required."}`},
		{Do: "POST /login", Body: `{"password":"x"}`, Status: 400, Want: `{"code":200,"error":"username/email is required."}`},
		{Do: "POST /login", Body: `{"username":"","password":"x"}`, Status: 400, Want: `{"code":200,"error":"username/email is required."}`},
		{Do: "POST /login", Body: `{"username":{"$ne":1},"password":"x"}`, Status: 404, Want: wrong},
		{Do: "POST /login", Body: `{"username":"ann","password":{"$ne":1}}`, Status: 404, Want: wrong},
		{Do: "POST /login", Body: `{"username":"ann","password":"pw","authData":{"nosuch":{"id":"1"}}}`, Status: 400, Want: `{"code":252,"error":"This authentication method is unsupported."}`},
		{Who: "readonly", Do: "POST /login", Body: `{"username":"ann","password":"pw"}`, Status: 400, Want: `{"code":119,"error":"Permission denied"}`},
		{Do: "POST /verifyPassword", Body: `{"username":"ann","password":"pw"}`, Want: annSelf + `}`},
		{Do: "POST /verifyPassword", Body: `{"username":"ann","password":"bad"}`, Status: 404, Want: wrong},

		{Who: "<tok1>", Do: "GET /users/me", Want: annSelf + `,"sessionToken":"<tok1>"}`},
		{Who: "master <tok1>", Do: "GET /users/me", Want: annSelf + `,"sessionToken":"<tok1>"}`},
		{Do: "GET /users/me", Status: 400, Want: `{"code":209,"error":"Permission denied"}`},
		{Who: "r:nope", Do: "GET /users/me", Status: 400, Want: `{"code":209,"error":"Invalid session token"}`},
		{Do: "GET /users/<ann>", Status: 404, Want: `{"code":101,"error":"Object not found."}`},
		{Who: "<tok1>", Do: "GET /users/<ann>", Want: annSelf + `,"sessionToken":"<tok1>"}`},
		{Who: "master", Do: "GET /users/<ann>", Want: annSelf + `}`},
		{Who: "<tok1>", Do: "GET /users", Want: `{"results":[` + annSelf + `}]}`},
		{Do: `GET /users?where={"email":"ann@x.io"}`, Status: 400, Want: `{"code":119,"error":"Permission denied"}`},
		{Who: "<tok1>", Do: `GET /users?where={"email":"ann@x.io"}`, Status: 400, Want: `{"code":119,"error":"Permission denied"}`},
		{Who: "<tok1>", Do: `GET /users?where={"email":"ann@x.io","objectId":"<ann>"}`, Want: `{"results":[` + annSelf + `}]}`},
		{Who: "<tok1>", Do: `GET /users?where={"$or":[{"email":{"$regex":"^a"}}]}`, Status: 400, Want: `{"code":119,"error":"Permission denied"}`},
		{Who: "<tok1>", Do: `GET /users?order=-email`, Status: 400, Want: `{"code":119,"error":"Permission denied"}`},
		{Who: "<tok1>", Do: `GET /users?where={"authData.anonymous.id":{"$regex":"^a"}}`, Status: 400, Want: `{"code":119,"error":"Permission denied"}`},
		{Do: `GET /users?where={"_hashed_password":{"$regex":"^a"}}`, Status: 400, Want: `{"code":105,"error":"Invalid key name: _hashed_password"}`},
		{Who: "master", Do: `GET /users?where={"_hashed_password":{"$regex":"^a"}}`, Status: 400, Want: `{"code":105,"error":"Invalid key name: _hashed_password"}`},
		{Do: `GET /users?order=_hashed_password`, Status: 400, Want: `{"code":105,"error":"Invalid field name: _hashed_password."}`},

		{Do: "PUT /users/<ann>", Body: `{"phone":"2"}`, Status: 400, Want: denied},
		{Who: "<tokb>", Do: "PUT /users/<ann>", Body: `{"phone":"2"}`, Status: 400, Want: denied},
		{Who: "<tokb>", Do: "PUT /users/<ann>", Body: `{"username":"ann"}`, Status: 400, Want: denied},
		{Who: "<tok1>", Do: "PUT /users/<ann>", Body: `{"phone":"2"}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "<tok1>", Do: "PUT /users/<ann>", Body: `{"sessionToken":"r:mine"}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "<tok1>", Do: "PUT /users/<ann>", Body: `{"username":"BOB"}`, Status: 400, Want: `{"code":202,"error":"Account already exists for this username."}`},
		{Who: "<tok1>", Do: "PUT /users/<ann>", Body: `{"username":"Ann","email":"ANN@X.io"}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "<tok1>", Do: "PUT /users/<ann>", Body: `{"emailVerified":true}`, Status: 400, Want: `{"code":119,"error":"Permission denied"}`},
		{Who: "<tok1>", Do: "PUT /users/<ann>", Body: `{"password":""}`, Status: 400, Want: `{"code":201,"error":"password is required"}`},
		{Who: "<tok1>", Do: "PUT /users/<ann>", Body: `{"password":5}`, Status: 400, Want: `{"code":111,"error":"schema mismatch for _User.password; expected String but got Number"}`},
		{Who: "<tok1>", Do: "PUT /users/<ann>", Body: `{"_hashed_password":"x"}`, Status: 400, Want: `{"code":105,"error":"Invalid field name: _hashed_password."}`},
		{Who: "<tok1>", Do: "PUT /users/<ann>", Body: `{"authData.anonymous":1}`, Status: 400, Want: `{"code":105,"error":"Invalid field name for update: authData.anonymous"}`},
		{Who: "<tok1>", Do: "PUT /users/<ann>", Body: `{"ACL":{}}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "<tok1>", Do: "GET /users/me", Want: `{"objectId":"<ann>","createdAt":"<ts>","updatedAt":"<ts>","username":"Ann","email":"ANN@X.io","phone":"2","ACL":{"<ann>":{"read":true,"write":true}},"sessionToken":"<tok1>"}`},

		{Who: "<tok1>", Do: "PUT /users/<ann>", Body: `{"password":"new"}`, Want: `{"updatedAt":"<ts>","sessionToken":"<tok6>"}`},
		{Who: "<tok1>", Do: "GET /users/me", Status: 400, Want: `{"code":209,"error":"Invalid session token"}`},
		{Who: "<tok2>", Do: "GET /users/me", Status: 400, Want: `{"code":209,"error":"Invalid session token"}`},
		{Do: "POST /login", Body: `{"username":"Ann","password":"pw"}`, Status: 404, Want: wrong},
		{Who: "<tok6>", Do: "GET /sessions", Want: `{"results":[{"objectId":"<s6>","createdAt":"<ts>","updatedAt":"<ts>","user":{"objectId":"<ann>","__type":"Pointer","className":"_User"},"sessionToken":"<tok6>","expiresAt":{"__type":"Date","iso":"<ts>"}}]}`},
		{Who: "master", Do: "PUT /users/<ann>", Body: `{"password":"newer"}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "<tok6>", Do: "GET /users/me", Status: 400, Want: `{"code":209,"error":"Invalid session token"}`},
		{Do: "POST /login", Body: `{"username":"Ann","password":"newer"}`, Want: `<any>"sessionToken":"<tok7>"}`},

		{Do: "POST /logout", Body: `{}`, Want: `{}`},
		{Who: "<tok7>", Do: "POST /logout", Body: `{}`, Want: `{}`},
		{Who: "<tok7>", Do: "POST /logout", Body: `{}`, Status: 400, Want: `{"code":209,"error":"Invalid session token"}`},

		{Who: "readonly", Do: "POST /loginAs", Body: `{"userId":"<ann>"}`, Status: 400, Want: `{"code":119,"error":"Permission denied"}`},
		{Do: "POST /loginAs", Body: `{"userId":"<ann>"}`, Status: 400, Want: `{"code":119,"error":"Permission denied"}`},
		{Who: "master", Do: "POST /loginAs", Body: `{}`, Status: 400, Want: `{"code":162,"error":"userId must not be empty, null, or undefined"}`},
		{Who: "master", Do: "POST /loginAs", Body: `{"userId":"nope"}`, Status: 404, Want: `{"code":101,"error":"user not found"}`},
		{Who: "master", Do: "POST /loginAs", Body: `{"userId":"<ann>"}`, Want: `{"objectId":"<ann>",<any>"sessionToken":"<tok8>"}`},
		{Who: "<tok8>", Do: "GET /sessions/me", Want: `<any>"createdWith":{"action":"login","authProvider":"masterkey"}}`},

		{Do: "DELETE /users/<ann>", Status: 400, Want: `{"code":206,"error":"Insufficient auth to delete user"}`},
		{Who: "<tokb>", Do: "DELETE /users/<ann>", Status: 400, Want: denied},
		{Who: "<tok8>", Do: "DELETE /users/<ann>", Want: `{}`},
		{Who: "<tok8>", Do: "GET /users/me", Status: 400, Want: `{"code":209,"error":"Invalid session token"}`},
		{Who: "master", Do: `GET /sessions?where={"user":{"__type":"Pointer","className":"_User","objectId":"<ann>"}}`, Want: `{"results":[]}`},
		{Who: "master", Do: "PUT /users/<bob>", Body: `{"ACL":{}}`, Want: `{"updatedAt":"<ts>"}`},
		{Do: "POST /login", Body: `{"username":"bob","password":"pw"}`, Status: 404, Want: wrong},
	})
}

func TestAnonymousUsers(t *testing.T) {
	a := apptest.New(t, nil)
	const user = `{"objectId":"<anon>","createdAt":"<ts>","updatedAt":"<ts>","username":"<name25>","authData":{"anonymous":{"id":"anon-1"}},"ACL":{"<anon>":{"read":true,"write":true}}`
	a.Play(t, []apptest.Step{
		{Do: "POST /users", Body: `{"authData":{"anonymous":{"id":"anon-1"}}}`, Want: `{"objectId":"<anon>","createdAt":"<ts>","username":"<name25>","sessionToken":"<tok1>","authDataResponse":{}}`},
		{Who: "<tok1>", Do: "GET /sessions/me", Want: `<any>"createdWith":{"action":"login","authProvider":"anonymous"}}`},
		{Do: "POST /users", Body: `{"authData":{"anonymous":{"id":"anon-1"}}}`, Status: 200, Want: user + `,"sessionToken":"<tok2>","authDataResponse":{}}`},
		{Who: "<tok2>", Do: "GET /sessions/me", Want: `<any>"createdWith":{"action":"login","authProvider":"anonymous"}}`},
		{Who: "<tok1>", Do: "POST /users", Body: `{"authData":{"anonymous":{"id":"anon-1"}}}`, Status: 200, Want: user + `}`},
		{Who: "master", Do: "POST /users", Body: `{"authData":{"anonymous":{"id":"anon-1"}}}`, Status: 200, Want: user + `}`},
		{Do: "POST /users", Body: `{"authData":{"nosuch":{"id":"1"}}}`, Status: 400, Want: `{"code":252,"error":"This authentication method is unsupported."}`},
		{Do: "POST /users", Body: `{"authData":null,"username":"x","password":"x"}`, Status: 400, Want: `{"code":252,"error":"This authentication method is unsupported."}`},
		{Do: "POST /users", Body: `{"authData":{}}`, Status: 400, Want: `{"code":200,"error":"bad or missing username"}`},
		{Do: "POST /users", Body: `{"authData":{"anonymous":{}}}`, Status: 400, Want: `{"code":200,"error":"bad or missing username"}`},
		{Do: "POST /users", Body: `{"authData":{"anonymous":null}}`, Status: 400, Want: `{"code":200,"error":"bad or missing username"}`},
		{Do: "POST /users", Body: `{"authData":{"anonymous":{"id":{"$ne":null}}}}`, Status: 400, Want: `{"code":162,"error":"Invalid authData id for provider 'anonymous'."}`},
		{Do: "POST /users", Body: `{"authData":"x","username":"x","password":"x"}`, Status: 400, Want: `{"code":111,"error":"schema mismatch for _User.authData; expected Object but got String"}`},
		{Do: "POST /users", Body: `{"username":"ann","password":"pw"}`, Want: `{"objectId":"<ann>","createdAt":"<ts>","sessionToken":"<tokann>"}`},
		{Who: "<tokann>", Do: "PUT /users/<ann>", Body: `{"authData":{"anonymous":{"id":"anon-1"}}}`, Status: 400, Want: `{"code":208,"error":"this auth is already used"}`},
		{Who: "<tokann>", Do: "POST /users", Body: `{"authData":{"anonymous":{"id":"anon-1"}}}`, Status: 400, Want: `{"code":208,"error":"this auth is already used"}`},
		{Who: "<tokann>", Do: "PUT /users/<ann>", Body: `{"authData":{"nosuch":{"id":"1"}}}`, Status: 400, Want: `{"code":252,"error":"This authentication method is unsupported."}`},
		{Who: "<tokann>", Do: "PUT /users/<ann>", Body: `{"authData":{"anonymous":{"id":"anon-2"}}}`, Want: `{"updatedAt":"<ts>","authDataResponse":{}}`},
		{Who: "<tokann>", Do: "GET /users/<ann>?keys=authData", Want: `{"objectId":"<ann>","createdAt":"<ts>","updatedAt":"<ts>","authData":{"anonymous":{"id":"anon-2"}},"ACL":{"<ann>":{"read":true,"write":true}},"sessionToken":"<tokann>"}`},
		{Who: "<tokann>", Do: "PUT /users/<ann>", Body: `{"authData":{"anonymous":null},"ACL":{"*":{"read":true}}}`, Want: `{"updatedAt":"<ts>","authDataResponse":{}}`},
		{Who: "<tokann>", Do: "GET /users/<ann>?keys=authData", Want: `{"objectId":"<ann>","createdAt":"<ts>","updatedAt":"<ts>","ACL":{"*":{"read":true},"<ann>":{"read":true,"write":true}},"sessionToken":"<tokann>"}`},
		// Others never see it.
		{Who: "<tok1>", Do: "PUT /users/<anon>", Body: `{"ACL":{"*":{"read":true}}}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "<tokann>", Do: "GET /users/<anon>?keys=authData", Want: `{"objectId":"<anon>","createdAt":"<ts>","updatedAt":"<ts>","ACL":{"*":{"read":true},"<anon>":{"read":true,"write":true}}}`},
		{Do: "GET /users/<anon>?keys=authData", Want: `{"objectId":"<anon>","createdAt":"<ts>","updatedAt":"<ts>","ACL":{"*":{"read":true},"<anon>":{"read":true,"write":true}}}`},
		// An anonymous user becomes an account.
		{Who: "<tok1>", Do: "PUT /users/<anon>", Body: `{"username":"now","password":"pw","authData":{"anonymous":null}}`, Want: `{"updatedAt":"<ts>","sessionToken":"<tok3>","authDataResponse":{}}`},
		{Do: "POST /login", Body: `{"username":"now","password":"pw"}`, Want: `{"objectId":"<anon>",<any>"sessionToken":"<tok4>"}`},
		{Do: "POST /users", Body: `{"authData":{"anonymous":{"id":"anon-3"}},"username":"both","password":"pw"}`, Want: `{"objectId":"<both>","createdAt":"<ts>","sessionToken":"<tok5>","authDataResponse":{}}`},
		{Who: "master", Do: "PUT /users/<both>", Body: `{"ACL":{}}`, Want: `{"updatedAt":"<ts>"}`},
		{Do: "POST /users", Body: `{"authData":{"anonymous":{"id":"anon-3"}}}`, Status: 400, Want: `{"code":208,"error":"this auth is already used"}`},
	})
	off := apptest.New(t, func(o *apptest.Options) { o.Write.Providers = providers(t, nil) })
	off.Play(t, []apptest.Step{
		{Do: "POST /users", Body: `{"authData":{"anonymous":{"id":"anon-1"}}}`, Status: 400, Want: `{"code":252,"error":"This authentication method is unsupported."}`},
	})
}

func TestUserOptions(t *testing.T) {
	a := apptest.New(t, func(o *apptest.Options) {
		o.Write.EnforcePrivateUsers = false
		o.Write.ConvertEmailToLowercase, o.Write.ConvertUsernameToLowercase = true, true
		o.Write.RevokeSessionOnPasswordReset = false
		o.Write.ExpireInactiveSessions = false
	})
	a.Play(t, []apptest.Step{
		{Do: "POST /users", Body: `{"username":"ANN","password":"pw","email":"ANN@x.io"}`, Want: `{"objectId":"<ann>","createdAt":"<ts>","sessionToken":"<tok1>"}`},
		{Do: "GET /users/<ann>", Want: `{"objectId":"<ann>","createdAt":"<ts>","updatedAt":"<ts>","username":"ann","ACL":{"*":{"read":true},"<ann>":{"read":true,"write":true}}}`},
		{Who: "<tok1>", Do: "GET /sessions/me", Want: `{"objectId":"<s1>","createdAt":"<ts>","updatedAt":"<ts>","user":{"objectId":"<ann>","__type":"Pointer","className":"_User"},"sessionToken":"<tok1>","createdWith":{"action":"signup","authProvider":"password"}}`},
		{Who: "<tok1>", Do: "PUT /users/<ann>", Body: `{"password":"new"}`, Want: `{"updatedAt":"<ts>","sessionToken":"<tok2>"}`},
		{Who: "<tok1>", Do: "GET /users/me", Want: `<any>"email":"ann@x.io",<any>}`},
	})
}
