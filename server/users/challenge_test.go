package users_test

import (
	"testing"

	"github.com/parsescale/parsescale/server/users/apptest"
)

func TestChallenge(t *testing.T) {
	a, _ := withOwn(t, nil)
	other := func(text string) string { return `{"code":-1,"error":"` + text + `"}` }
	const (
		unknown = `{"code":101,"error":"User not found."}`
		ask     = `"challengeData":{"pin":{"q":1}}`
	)
	a.Play(t, []apptest.Step{
		signUp("cat"),
		{Who: "<tokcat>", Do: "PUT /users/<cat>", Body: `{"authData":{"pin":{"pin":"1"},"mine":{"id":"c","token":"ok"},"code":{"code":"code-of-cat"}}}`, Want: `<any>`},
		{Do: "POST /challenge", Body: `{}`, Status: 400, Want: other("Nothing to challenge.")},
		{Do: "POST /challenge", Body: `{"challengeData":"x"}`, Status: 400, Want: other("challengeData should be an object.")},
		{Do: "POST /challenge", Body: `{"challengeData":[]}`, Want: `{"challengeData":{}}`},
		{Do: "POST /challenge", Body: `{"challengeData":{"pin":{"q":1},"mfa":{},"nosuch":{},"constructor":{},"mine":{}}}`, Want: `{"challengeData":{"pin":{"got":{"q":1},"has":false,"user":false}}}`},
		{Do: "POST /challenge", Body: `{"challengeData":{"pin":null}}`, Want: `{"challengeData":{"pin":{"got":null,"has":false,"user":false}}}`},
		{Do: "POST /challenge", Body: `{"challengeData":{"pin":"refuse"}}`, Status: 400, Want: `{"code":141,"error":"no challenge"}`},
		{Do: "POST /challenge", Body: `{"username":"cat",` + ask + `}`, Status: 400, Want: other("You provided username or email, you need to also provide password.")},
		{Do: "POST /challenge", Body: `{"username":"cat","password":"bad",` + ask + `}`, Status: 404, Want: `{"code":101,"error":"Invalid username/password."}`},
		{Do: "POST /challenge", Body: `{"username":"cat","password":"pw"}`, Status: 400, Want: other("Nothing to challenge.")},
		{Do: "POST /challenge", Body: `{"username":"cat","password":"pw",` + ask + `}`, Want: `{"challengeData":{"pin":{"got":{"q":1},"has":true,"user":true}}}`},
		{Do: "POST /challenge", Body: `{"username":"cat","password":"pw","authData":{"pin":{}},` + ask + `}`, Status: 400, Want: other("You cannot provide username/email and authData, only use one identification method.")},
		{Do: "POST /challenge", Body: `{"authData":"x",` + ask + `}`, Status: 400, Want: other("authData should be an object.")},
		{Do: "POST /challenge", Body: `{"authData":{"pin":5},` + ask + `}`, Status: 400, Want: other("authData.pin should be an object.")},
		{Do: "POST /challenge", Body: `{"authData":{"pin":[]},` + ask + `}`, Status: 400, Want: other("authData.pin should be an object.")},
		{Do: "POST /challenge", Body: `{"authData":{},` + ask + `}`, Status: 404, Want: unknown},
		{Do: "POST /challenge", Body: `{"authData":{"mine":{"id":"c","token":"bad"}},` + ask + `}`, Status: 404, Want: unknown},
		{Do: "POST /challenge", Body: `{"authData":{"mine":{"id":"x","token":"ok"}},` + ask + `}`, Status: 404, Want: unknown},
		{Do: "POST /challenge", Body: `{"authData":{"mine":{"id":5,"token":"ok"}},` + ask + `}`, Status: 400, Want: `{"code":162,"error":"Invalid authData id for provider 'mine'."}`},
		{Do: "POST /challenge", Body: `{"authData":{"mine":{"id":"c","token":"ok"}},` + ask + `}`, Want: `{"challengeData":{"pin":{"got":{"q":1},"has":true,"user":true}}}`},
		{Do: "POST /challenge", Body: `{"authData":{"mine":{"id":"c","token":"ok"},"solo":{"id":"x"}},` + ask + `}`, Status: 400, Want: other("You cannot provide more than one authData provider with an id.")},
		{Do: "POST /challenge", Body: `{"authData":{"nosuch":{"id":"c","token":"ok"}},` + ask + `}`, Status: 404, Want: unknown},
		// GHSA-mr43-w6c2-mvjq: an id alone is no proof where a code is.
		{Do: "POST /challenge", Body: `{"authData":{"code":{"id":"cat"}},` + ask + `}`, Status: 404, Want: unknown},
		{Do: "POST /challenge", Body: `{"authData":{"code":{"code":"code-of-cat#2"}},` + ask + `}`, Want: `{"challengeData":{"pin":{"got":{"q":1},"has":true,"user":true}}}`},
	})
}
