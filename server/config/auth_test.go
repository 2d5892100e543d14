package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

func loadAuth(file string) (*Options, []string, error) {
	return FromJSON([]byte(`{"appId":"a","masterKey":"m",` + file + `}`))
}

func TestAuthOptions(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		providers  []string
		want       string // "" for no error
	}{
		{"nothing", `"auth":null`, []string{"anonymous"}, ""},
		{"one", `"auth":{"google":{"clientId":"x"}}`, []string{"anonymous", "google"}, ""},
		{"several", `"auth":{"mfa":{"options":["TOTP"]},"idp":{"oauth2":true,"tokenIntrospectionEndpointUrl":"https://x/y"},"off":{"enabled":false},"nul":null}`, []string{"anonymous", "idp", "mfa", "off"}, ""},
		{"no anonymous users", `"auth":{"github":{"clientId":"a","clientSecret":"b"}},"enableAnonymousUsers":false`, []string{"github"}, ""},
		{"not an object", `"auth":[]`, nil, "option auth must be an object"},
		{"a provider that is no object", `"auth":{"x":5}`, nil, "option auth.x must be an object"},
		{"a module", `"auth":{"x":"./x.js"}`, nil, "option auth.x: adapters in JavaScript are not supported by this server"},
		{"another module", `"auth":{"x":{"module":"./x.js"}}`, nil, "option auth.x: adapters in JavaScript are not supported by this server"},
		{"a provider that isn't here", `"auth":{"twitter":{"consumer_key":"k"}}`, nil, "option auth.twitter: this provider is not supported yet by this server"},
		{"a bad name", `"auth":{"a.b":{"enabled":false}}`, nil, `option auth: "a.b" can't be the name of a provider`},
		{"no client id", `"auth":{"apple":{}}`, nil, "option auth.apple: clientId is required"},
		{"bad digits", `"auth":{"mfa":{"options":["TOTP"],"digits":11}}`, nil, "option auth.mfa: mfa.digits must be between 4 and 10"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, _, err := loadAuth(tt.file)
			if tt.want != "" {
				if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
					t.Errorf("got %v, want %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := o.AuthProviderNames(); !slices.Equal(got, tt.providers) {
				t.Errorf("got %v, want %v", got, tt.providers)
			}
			// The gateway hands options to its workers as JSON.
			data, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			again, _, err := FromJSON(data)
			if err != nil || !slices.Equal(again.AuthProviderNames(), tt.providers) {
				t.Errorf("handed on: %v, %v", again, err)
			}
		})
	}
}

// TestAuthOptionsFromTheEnvironment: the name is parse-server's.
func TestAuthOptionsFromTheEnvironment(t *testing.T) {
	o, warnings, err := Load(Sources{Env: []string{
		"PARSE_SERVER_APPLICATION_ID=a", "PARSE_SERVER_MASTER_KEY=m", `PARSE_SERVER_AUTH_PROVIDERS={"facebook":{"appIds":["f"]}}`,
		"PARSE_SERVER_ALLOW_EXPIRED_AUTH_DATA_TOKEN=true", "PARSE_SERVER_ENABLE_INSECURE_AUTH_ADAPTERS=true",
	}})
	if err != nil || len(warnings) != 2 || o.Auth["facebook"] == nil {
		t.Errorf("%v %v", warnings, err)
	}
}

// TestAuthOptionsAreNotPrinted: they hold secrets.
func TestAuthOptionsAreNotPrinted(t *testing.T) {
	o, _, err := loadAuth(`"auth":{"github":{"clientId":"a","clientSecret":"s3cret"}}`)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "auth", o.Auth, "options", o)
	for _, text := range []string{log.String(), fmt.Sprint(o.Auth), fmt.Sprintf("%v %+v %#v %s %q", o.Auth, o.Auth, o.Auth, o.Auth, o.Auth), fmt.Sprintf("%+v", *o)} {
		if strings.Contains(text, "s3cret") {
			t.Errorf("a secret is printed: %s", text)
		}
	}
	for _, file := range []string{`"auth":{"facebook":{"appIds":"s3cret"}}`, `"auth":"s3cret"`, `"auth":{"x":"s3cret"}`, `"auth":{"github":{"clientId":["s3cret"]}}`} {
		if _, _, err := loadAuth(file); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v", err)
		}
	}
}
