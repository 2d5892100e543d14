package users_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/users/apptest"
)

// FuzzAuthData looks for authData that gets into another's account without the provider's token, that tells what is secret, or
// that is answered with an internal error.
func FuzzAuthData(f *testing.F) {
	for _, s := range []string{
		`{"mine":{"id":"m1","token":"ok"}}`, `{"mine":{"id":"m1"}}`, `{"mine":{"id":{"$ne":null}}}`, `{"mine":null,"mfa":{"token":"1"}}`, `{"code":{"id":"victim"}}`,
		`{"anonymous":{"id":"a"},"mine":{"id":"m1"}}`, `{"mfa":{"secret":"JBSWY3DPEHPK3PXPJBSWY3DP","token":"123456"}}`, `{"":{}}`, `[]`, `"x"`, `5`, `{"__op":"Delete"}`,
		`{"mine":{"__type":"Pointer","className":"_User","objectId":"x"}}`, `{"mine":{"id":"m1","id":"m2"}}`, `{"mine":{"$x":1,"id":"y","token":"ok"}}`, `{"mine.id":"m1"}`,
	} {
		f.Add(s)
	}
	a, _ := withOwn(f, nil)
	got := a.Do("", "POST /users", `{"username":"victim","password":"pw","authData":{"mine":{"id":"m1","token":"ok"},"code":{"code":"code-of-victim"},"pin":{"pin":"very secret"}}}`)
	var victim struct{ ObjectID, SessionToken string }
	if err := json.Unmarshal([]byte(got.Body), &victim); err != nil || victim.ObjectID == "" {
		f.Fatal(got)
	}
	me := `"objectId":"` + victim.ObjectID + `"`
	f.Fuzz(func(t *testing.T, authData string) {
		if !json.Valid([]byte(authData)) {
			return
		}
		for _, step := range []struct{ who, do, body string }{
			{"", "POST /users", `{"authData":` + authData + `}`},
			{"", "POST /login", `{"username":"victim","password":"pw","authData":` + authData + `}`},
			{"", "POST /challenge", `{"authData":` + authData + `,"challengeData":{"pin":1}}`},
			{"", "PUT /users/" + victim.ObjectID, `{"authData":` + authData + `}`},
		} {
			got := a.Do(step.who, step.do, step.body)
			if got.Status >= 500 {
				t.Errorf("%s %s: %d %s", step.do, step.body, got.Status, got.Body)
			}
			if strings.Contains(got.Body, "very secret") && got.Status > 201 {
				t.Errorf("%s %s: %s", step.do, step.body, got.Body)
			}
			// The pin is needed besides, and nobody here knows it who doesn't say it.
			if got.Status == 200 && strings.Contains(got.Body, me) && !strings.Contains(authData, "very secret") {
				t.Errorf("%s %s gets in: %s", step.do, step.body, got.Body)
			}
		}
	})
}

// TestFuzzSeeds keeps what the fuzzer's rules are made of true: the victim gets in with everything, and with nothing less.
func TestFuzzSeeds(t *testing.T) {
	a, _ := withOwn(t, nil)
	a.Play(t, []apptest.Step{
		{Do: "POST /users", Body: `{"username":"victim","password":"pw","authData":{"mine":{"id":"m1","token":"ok"},"pin":{"pin":"very secret"}}}`, Want: `{"objectId":"<victim>",<any>}`},
		{Do: "POST /users", Body: `{"authData":{"mine":{"id":"m1","token":"ok"},"pin":{"pin":"very secret"}}}`, Status: 200, Want: `{"objectId":"<victim>",<any>}`},
		{Do: "POST /users", Body: `{"authData":{"mine":{"id":"m1","token":"ok"}}}`, Status: 400, Want: `{"code":-1,"error":"Missing additional authData pin"}`},
		{Do: "POST /login", Body: `{"username":"victim","password":"pw","authData":{"pin":{"pin":"very secret"}}}`, Want: `{"objectId":"<victim>",<any>}`},
	})
}
