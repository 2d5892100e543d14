package builtin

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/identity"
)

func TestBuild(t *testing.T) {
	for options, want := range map[string]string{
		`{}`:                      "",
		`{"anonymous":{}}`:        "",
		`{"x":{"enabled":false}}`: "",
		`{"twitter":{"enabled":false,"consumer_key":"x"}}`:                                             "",
		`{"apple":{"clientId":"a"},"google":{"clientId":["a","b"],"cacheMaxAge":1000,"enabled":true}}`: "",
		`{"apple":{}}`:                                         "option auth.apple: clientId is required",
		`{"google":{"clientId":[]}}`:                           "option auth.google: clientId is required",
		`{"google":{"clientId":""}}`:                           "option auth.google: clientId is required",
		`{"google":{"clientID":"x"}}`:                          "option auth.google: unknown field clientID",
		`{"facebook":{"appIds":["a"],"cacheMaxAge":"s3cret"}}`: "option auth.facebook: cacheMaxAge must be of type float64, not string",
		`{"google":{"clientId":"x","cacheMaxEntries":5}}`:      "",
		`{"google":{"clientId":5}}`:                            "option auth.google: clientId must be of type []string, not number",
		`{"google":{"clientId":"x","y":1}}`:                    `option auth.google: unknown field y`,
		`{"facebook":{}}`:                                      "option auth.facebook: appIds is required, an array of strings",
		`{"facebook":{"appIds":"s3cret"}}`:                     "option auth.facebook: appIds must be of type []string, not string",
		`{"github":{}}`:                                        "option auth.github: GitHub clientId is required.",
		`{"github":{"clientId":"a"}}`:                          "option auth.github: GitHub clientSecret is required.",
		`{"github":{"clientId":"a","clientSecret":"b","enableInsecureAuth":true}}`:  "option auth.github: enableInsecureAuth is not supported by this server: it accepts access tokens that were made for other apps",
		`{"github":{"clientId":"a","clientSecret":"b","enableInsecureAuth":false}}`: "",
		`{"ldap":{}}`: "option auth.ldap: LDAP auth configuration missing: url must start with ldap:// or ldaps://, and suffix must be set",
		`{"ldap":{"url":"http://x","suffix":"o=x"}}`:                                            "option auth.ldap: LDAP auth configuration missing: url must start with ldap:// or ldaps://, and suffix must be set",
		`{"ldap":{"url":"ldaps://x","suffix":"o=x"}}`:                                           "option auth.ldap: LDAP auth configuration missing: ldaps:// needs tlsOptions, which may be {}",
		`{"ldap":{"url":"ldap://x","suffix":"o=x","dn":"uid=admin"}}`:                           "option auth.ldap: dn must contain {{id}}",
		`{"ldap":{"url":"ldap://x","suffix":"o=x","groupCn":"a"}}`:                              "option auth.ldap: groupCn and groupFilter need each other",
		`{"ldap":{"url":"ldaps://x","suffix":"o=x","tlsOptions":{"ca":"x"}}}`:                   "option auth.ldap: tlsOptions.ca holds no certificate in PEM",
		`{"ldap":{"url":"ldaps://x","suffix":"o=x","tlsOptions":{"rejectUnauthorized":false}}}`: "",
		`{"mfa":{}}`: "option auth.mfa: mfa.options must be an array",
		`{"mfa":{"options":["TOTP"],"digits":"6"}}`:                                                       "option auth.mfa: mfa.digits must be a number",
		`{"mfa":{"options":["TOTP"],"digits":3}}`:                                                         "option auth.mfa: mfa.digits must be between 4 and 10",
		`{"mfa":{"options":["SMS"]}}`:                                                                     "option auth.mfa: mfa.sendSMS callback must be defined when using SMS OTPs",
		`{"mfa":{"options":["SMS"],"sendSMS":"x"}}`:                                                       "option auth.mfa: mfa.sendSMS is a function, which JSON can't hold; pass an adapter with it as server.Environment.AuthAdapters",
		`{"mfa":{"options":["TOTP"],"digits":8,"period":60,"algorithm":"SHA256"}}`:                        "",
		`{"idp":{"oauth2":true}}`:                                                                         "option auth.idp: OAuth2 token introspection endpoint URL is missing.",
		`{"idp":{"oauth2":true,"tokenIntrospectionEndpointUrl":"x"}}`:                                     "option auth.idp: tokenIntrospectionEndpointUrl must be a URL starting with http:// or https://",
		`{"idp":{"oauth2":true,"tokenIntrospectionEndpointUrl":"http://x","appidField":"a"}}`:             "option auth.idp: OAuth2 configuration is missing app IDs.",
		`{"idp":{"oauth2":true,"tokenIntrospectionEndpointUrl":"http://x","appidField":"a","appIds":[]}}`: "option auth.idp: OAuth2 configuration is missing app IDs.",
		`{"idp":{"oauth2":true,"tokenIntrospectionEndpointUrl":"http://x","appIds":["a"]}}`:               "option auth.idp: appIds have no effect without appidField, the member of the introspection's answer that is compared with them",
		`{"twitter":{"consumer_key":"x"}}`:                                                                "option auth.twitter: this provider is not supported yet by this server; leave it out, or keep such log-ins on parse-server for Node behind the gateway",
		`{"mine":{"module":"./mine.js"}}`:                                                                 "option auth.mine: adapters in JavaScript are not supported by this server; write one in Go and pass it as server.Environment.AuthAdapters",
		`{"mine":{}}`:                                                                                     `option auth.mine: there is no such provider; one with token introspection needs "oauth2": true, one in Go is passed as server.Environment.AuthAdapters`,
		`{"a-b":{"enabled":false}}`:                                                                       `option auth: "a-b" can't be the name of a provider: a letter, then letters, digits and underscores`,
		`{"__proto__":{}}`:                                                                                `option auth: "__proto__" can't be the name of a provider: a letter, then letters, digits and underscores`,
	} {
		var auth map[string]map[string]any
		if err := json.Unmarshal([]byte(options), &auth); err != nil {
			t.Fatal(err)
		}
		got := ""
		if _, err := Build(Options{Auth: auth}); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", options, got, want)
		}
		if strings.Contains(got, "s3cret") {
			t.Error("an error repeats a value")
		}
	}
}

// TestUnconfigured: built-in providers that nobody configured say so, without anybody being looked up.
func TestUnconfigured(t *testing.T) {
	adapters, err := Build(Options{Anonymous: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"apple": "Apple auth is not configured.", "google": "Google auth is not configured.", "facebook": "Facebook auth is not configured."} {
		if _, err := adapters[name].(identity.Identifier).Identify(t.Context(), map[string]any{"id": "x"}); outcome(err) != want {
			t.Error(err)
		}
		if _, err := adapters[name].Validate(t.Context(), &identity.Request{}); outcome(err) != want {
			t.Error(err)
		}
	}
	if adapters["anonymous"] == nil || adapters["github"] != nil || adapters["mfa"] != nil || adapters["ldap"] != nil {
		t.Error(adapters)
	}
	off, err := Build(Options{Auth: map[string]map[string]any{"facebook": {"enabled": false}, "anonymous": {"enabled": false}}, Anonymous: true})
	if err != nil || off["facebook"] != nil || off["anonymous"] != nil || off["apple"] == nil {
		t.Error(off, err)
	}
	stored := map[string]any{"id": "1", "access_token": "secret"}
	for name, a := range Reserved() {
		if shown := a.(identity.AfterFinder).AfterFind(stored, identity.Viewer{UserID: "u"}); shown["access_token"] != nil {
			t.Errorf("%s shows %v", name, shown)
		}
		if _, err := a.Validate(t.Context(), &identity.Request{Stage: identity.SetUp}); err == nil {
			t.Errorf("%s can be used without being configured", name)
		}
	}
}
