package builtin

import (
	"crypto/rsa"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/identity/fetch"
	"github.com/parsescale/parsescale/server/identity/idtoken/tokentest"
	"github.com/parsescale/parsescale/server/parseerror"
)

// world is an HTTPS server that plays Apple, Google, Facebook, GitHub and an OAuth 2 provider, which tests can't reach. It
// answers as their documentation says.
type world struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string // what was asked, in order
	// patience is how long an answer is waited for.
	patience time.Duration
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{patience: time.Minute}
	reply := func(rw http.ResponseWriter, status int, v any) {
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(status)
		_ = json.NewEncoder(rw).Encode(v)
	}
	type m = map[string]any
	mux := http.NewServeMux()
	mux.HandleFunc("/keys", func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = rw.Write(tokentest.KeySet(t, map[string]*rsa.PrivateKey{"k": tokentest.Key(t, 0)}))
	})
	mux.HandleFunc("/graph/", func(rw http.ResponseWriter, r *http.Request) {
		app, user, ok := strings.Cut(r.URL.Query().Get("access_token"), ":")
		switch {
		case !ok:
			reply(rw, 400, m{"error": m{"message": "Invalid OAuth access token.", "code": 190}, "id": "u1"})
		case r.URL.Path == "/graph/app":
			reply(rw, 200, m{"id": app})
		case r.URL.Path == "/graph/me" && r.URL.Query().Get("fields") == "id":
			reply(rw, 200, m{"id": user})
		default:
			reply(rw, 404, m{})
		}
	})
	mux.HandleFunc("POST /github/token", func(rw http.ResponseWriter, r *http.Request) {
		var body map[string]string
		_ = json.NewDecoder(r.Body).Decode(&body)
		switch {
		case body["client_id"] != "gh" || body["client_secret"] != "shh":
			reply(rw, 200, m{"error": "incorrect_client_credentials"})
		case body["code"] == "down":
			reply(rw, 503, m{})
		case body["code"] == "nothing":
			reply(rw, 200, m{})
		case !strings.HasPrefix(body["code"], "code-"):
			reply(rw, 200, m{"error": "bad_verification_code", "error_description": "The code passed is incorrect or expired."})
		default:
			reply(rw, 200, m{"access_token": "gho_" + body["code"][len("code-"):], "token_type": "bearer"})
		}
	})
	mux.HandleFunc("/github/user", func(rw http.ResponseWriter, r *http.Request) {
		switch token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer gho_"); token {
		case "583231":
			reply(rw, 200, m{"id": 583231, "login": "octocat"})
		case "text":
			reply(rw, 200, m{"id": "text-id", "login": "octocat"})
		case "nobody":
			reply(rw, 200, m{"id": nil, "login": "octocat"})
		case "list":
			reply(rw, 200, m{"id": []int{1}, "login": "octocat"})
		default:
			reply(rw, 401, m{"message": "Bad credentials"})
		}
	})
	mux.HandleFunc("POST /introspect", func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, err := url.ParseQuery(string(body))
		if err != nil || r.Header.Get("Authorization") != "Basic abc" {
			reply(rw, 401, m{"active": true, "sub": "u1", "aud": "app"})
			return
		}
		switch form.Get("token") {
		case "right":
			reply(rw, 200, m{"active": true, "sub": "u1", "uid": "u9", "aud": "app"})
		case "for several":
			reply(rw, 200, m{"active": true, "sub": "u1", "aud": []string{"x", "app"}})
		case "for another":
			reply(rw, 200, m{"active": true, "sub": "u1", "aud": "x"})
		case "for none":
			reply(rw, 200, m{"active": true, "sub": "u1"})
		case "nameless":
			reply(rw, 200, m{"active": true, "aud": "app"})
		case "truthy":
			reply(rw, 200, m{"active": "false", "sub": "u1", "aud": "app"})
		case "elsewhere":
			http.Redirect(rw, r, "https://elsewhere.invalid/", http.StatusTemporaryRedirect)
		case "no json":
			_, _ = rw.Write([]byte("<html>"))
		case "endless":
			_, _ = rw.Write([]byte(`{"active":true,"sub":"u1","aud":"app","x":"` + strings.Repeat("x", 2<<20) + `"}`))
		case "late":
			<-r.Context().Done()
		default:
			reply(rw, 200, m{"active": false, "sub": "u1", "aud": "app"})
		}
	})
	w.Server = httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.requests = append(w.requests, r.Method+" "+r.URL.String())
		w.mu.Unlock()
		mux.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.Close)
	return w
}

var now = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// build makes the adapter of one provider that talks to this world.
func (w *world) build(t *testing.T, name, options string) identity.Adapter {
	t.Helper()
	var auth map[string]map[string]any
	if err := json.Unmarshal([]byte(`{"`+name+`":`+strings.ReplaceAll(options, "URL", w.URL)+`}`), &auth); err != nil {
		t.Fatal(err)
	}
	adapters, err := Build(Options{
		Auth: auth, Now: func() time.Time { return now },
		Client: fetch.New(fetch.Options{Transport: w.Client().Transport, Timeout: w.patience}),
		Endpoints: Endpoints{
			AppleKeys: w.URL + "/keys", GoogleKeys: w.URL + "/keys", FacebookKeys: w.URL + "/keys", FacebookGraph: w.URL + "/graph/",
			GitHubToken: w.URL + "/github/token", GitHubUser: w.URL + "/github/user",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return adapters[name]
}

func sign(t *testing.T, issuer, audience, subject string) string {
	t.Helper()
	return tokentest.Sign(t, jose.RS256, tokentest.Key(t, 0), "k", map[string]any{
		"iss": issuer, "aud": audience, "sub": subject, "exp": now.Add(time.Minute).Unix(),
	})
}

// outcome is what the client would be told.
func outcome(err error) string {
	if err == nil {
		return ""
	}
	return parseerror.From(err).Message
}

func TestProviders(t *testing.T) {
	w := newWorld(t)
	type m = map[string]any
	const (
		appleIssuer, googleIssuer, facebookIssuer = "https://appleid.apple.com", "https://accounts.google.com", "https://www.facebook.com"

		apple    = `{"clientId":["com.example.app","com.example.web"]}`
		google   = `{"clientId":"g.apps"}`
		facebook = `{"appIds":["fb1"],"appSecret":"s3"}`
		oauth    = `{"oauth2":true,"tokenIntrospectionEndpointUrl":"URL/introspect","authorizationHeader":"Basic abc","appidField":"aud","appIds":["app"]}`
		noToken  = "id token is invalid for this user."
		notYou   = "auth data is invalid for this user."
		fbNo     = "Facebook auth is invalid for this user."
		oauthNo  = "OAuth2 access token is invalid for this user."
		unknown  = "Auth failed. Unknown error."
	)
	for _, tt := range []struct {
		name, provider, options string
		data                    m
		want                    string
	}{
		{"apple", "apple", apple, m{"id": "u1", "token": sign(t, appleIssuer, "com.example.web", "u1")}, ""},
		{"apple, somebody else's token", "apple", apple, m{"id": "u1", "token": sign(t, appleIssuer, "com.example.app", "u2")}, notYou},
		{"apple, another app's token", "apple", apple, m{"id": "u1", "token": sign(t, appleIssuer, "x", "u1")}, "jwt audience invalid. expected: com.example.app or com.example.web"},
		{"apple, Google's token", "apple", apple, m{"id": "u1", "token": sign(t, googleIssuer, "com.example.app", "u1")}, "id token not issued by correct OpenID provider - expected: https://appleid.apple.com | from: https://accounts.google.com"},
		{"apple, no token", "apple", apple, m{"id": "u1"}, noToken},
		{"apple, a token that is no text", "apple", apple, m{"id": "u1", "token": m{"$ne": 1}}, noToken},
		{"apple, no id", "apple", apple, m{"token": sign(t, appleIssuer, "com.example.app", "u1")}, notYou},
		{"google", "google", google, m{"id": "u1", "id_token": sign(t, googleIssuer, "g.apps", "u1")}, ""},
		{"google's other name", "google", google, m{"id": "u1", "id_token": sign(t, "accounts.google.com", "g.apps", "u1")}, ""},
		{"google, by another issuer", "google", google, m{"id": "u1", "id_token": sign(t, appleIssuer, "g.apps", "u1")}, "id token not issued by correct provider - expected: accounts.google.com or https://accounts.google.com | from: https://appleid.apple.com"},
		{"google, no token", "google", google, m{"id": "u1", "token": "x"}, noToken},

		{"facebook", "facebook", facebook, m{"id": "u1", "access_token": "fb1:u1"}, ""},
		{"facebook, somebody else", "facebook", facebook, m{"id": "u1", "access_token": "fb1:u2"}, fbNo},
		{"facebook, another app", "facebook", facebook, m{"id": "u1", "access_token": "fb2:u1"}, fbNo},
		{"facebook, a bad token", "facebook", facebook, m{"id": "u1", "access_token": "bad"}, fbNo},
		{"facebook, a token that adds parameters", "facebook", facebook, m{"id": "u1", "access_token": "fb2:u2&access_token=fb1:u1"}, fbNo},
		{"facebook, nothing", "facebook", facebook, m{"id": "u1"}, fbNo},
		{"facebook, no id", "facebook", facebook, m{"access_token": "fb1:u1"}, fbNo},
		{"facebook, parse-server's test token", "facebook", facebook, m{"id": "test", "access_token": "test"}, fbNo},
		{"facebook limited log-in", "facebook", facebook, m{"id": "u1", "token": sign(t, facebookIssuer, "fb1", "u1")}, ""},
		{"facebook limited log-in, somebody else", "facebook", facebook, m{"id": "u1", "token": sign(t, facebookIssuer, "fb1", "u2")}, notYou},
		{"facebook limited log-in, another app", "facebook", facebook, m{"id": "u1", "token": sign(t, facebookIssuer, "fb2", "u1")}, "jwt audience invalid. expected: fb1"},
		{"facebook limited log-in, no text", "facebook", facebook, m{"id": "u1", "token": 5.0, "access_token": "fb1:u1"}, noToken},

		{"oauth2", "idp", oauth, m{"id": "u1", "access_token": "right"}, ""},
		{"oauth2, one of several apps", "idp", oauth, m{"id": "u1", "access_token": "for several"}, ""},
		{"oauth2, another member for the id", "idp", strings.Replace(oauth, "{", `{"useridField":"uid",`, 1), m{"id": "u9", "access_token": "right"}, ""},
		{"oauth2, no check of the app", "idp", `{"oauth2":true,"tokenIntrospectionEndpointUrl":"URL/introspect","authorizationHeader":"Basic abc"}`, m{"id": "u1", "access_token": "for another"}, ""},
		{"oauth2, somebody else", "idp", oauth, m{"id": "u2", "access_token": "right"}, oauthNo},
		{"oauth2, an inactive token", "idp", oauth, m{"id": "u1", "access_token": "bad"}, oauthNo},
		{"oauth2, active but not true", "idp", oauth, m{"id": "u1", "access_token": "truthy"}, oauthNo},
		{"oauth2, another app", "idp", oauth, m{"id": "u1", "access_token": "for another"}, "OAuth2: Invalid app ID."},
		{"oauth2, no app", "idp", oauth, m{"id": "u1", "access_token": "for none"}, "OAuth2: Invalid app ID."},
		{"oauth2, a token for nobody", "idp", oauth, m{"access_token": "nameless"}, oauthNo},
		{"oauth2, no token", "idp", oauth, m{"id": "u1"}, oauthNo},
		{"oauth2, a token that is no text", "idp", oauth, m{"id": "u1", "access_token": 5.0}, oauthNo},
		{"oauth2, an endless token", "idp", oauth, m{"id": "u1", "access_token": strings.Repeat("x", 1<<20)}, oauthNo},
		{"oauth2, wrong credentials", "idp", strings.Replace(oauth, "Basic abc", "Basic x", 1), m{"id": "u1", "access_token": "right"}, "OAuth2 token introspection request failed."},
		{"oauth2, redirected", "idp", oauth, m{"id": "u1", "access_token": "elsewhere"}, unknown},
		{"oauth2, no JSON", "idp", oauth, m{"id": "u1", "access_token": "no json"}, unknown},
		{"oauth2, too long an answer", "idp", oauth, m{"id": "u1", "access_token": "endless"}, unknown},
		{"oauth2, too late an answer", "idp", oauth, m{"id": "u1", "access_token": "late"}, unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if w.patience = time.Minute; strings.Contains(tt.name, "too late") {
				w.patience = 300 * time.Millisecond
			}
			p, err := identity.New(identity.Options{Adapters: map[string]identity.Adapter{tt.provider: w.build(t, tt.provider, tt.options)}})
			if err != nil {
				t.Fatal(err)
			}
			data, err := p.Identify(t.Context(), tt.provider, tt.data)
			if err == nil {
				_, err = p.Validate(t.Context(), &identity.Request{Provider: tt.provider, AuthData: data})
			}
			if got := outcome(err); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.requests {
		if strings.Contains(r, "/graph/") && !strings.Contains(r, "appsecret_proof=") {
			t.Errorf("asked without a proof: %s", r)
		}
	}
}

func TestGitHub(t *testing.T) {
	w := newWorld(t)
	a := w.build(t, "github", `{"clientId":"gh","clientSecret":"shh"}`)
	bad := w.build(t, "github", `{"clientId":"gh","clientSecret":"wrong"}`)
	type m = map[string]any
	for _, tt := range []struct {
		name    string
		adapter identity.Adapter
		data    m
		want    string // the id
		err     string
	}{
		{"a code", a, m{"code": "code-583231"}, "583231", ""},
		{"a code with the right id", a, m{"code": "code-583231", "id": "583231"}, "583231", ""},
		{"a code with another id", a, m{"code": "code-583231", "id": "1"}, "", "GitHub auth is invalid for this user."},
		{"a code with a number for an id", a, m{"code": "code-583231", "id": 583231.0}, "", "GitHub auth is invalid for this user."},
		{"an id that is text", a, m{"code": "code-text"}, "text-id", ""},
		{"no code", a, m{"id": "583231"}, "", "GitHub code is required."},
		{"an access token", a, m{"id": "583231", "access_token": "gho_583231"}, "", "GitHub code is required."},
		{"a code that is no text", a, m{"code": m{"$ne": 1}}, "", "GitHub code is required."},
		{"a wrong code", a, m{"code": "x"}, "", "The code passed is incorrect or expired."},
		{"no token", a, m{"code": "nothing"}, "", "GitHub auth is invalid for this user."},
		{"a token that is none", a, m{"code": "code-x"}, "", "Failed to fetch GitHub user: Unauthorized"},
		{"a token of nobody", a, m{"code": "code-nobody"}, "", "Invalid GitHub user data received."},
		{"a token of a list", a, m{"code": "code-list"}, "", "Invalid GitHub user data received."},
		{"github is down", a, m{"code": "down"}, "", "Failed to exchange code for token: Service Unavailable"},
		{"wrong credentials", bad, m{"code": "code-583231"}, "", "incorrect_client_credentials"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.adapter.(identity.Identifier).Identify(t.Context(), tt.data)
			if outcome(err) != tt.err || err == nil && got["id"] != tt.want {
				t.Fatalf("got %v, %q", got, outcome(err))
			}
			if err != nil {
				return
			}
			if got["code"] != nil || got["access_token"] == nil {
				t.Errorf("stored: %v", got)
			}
			if shown := a.(identity.AfterFinder).AfterFind(got, identity.Viewer{Master: true}); len(shown) != 1 || shown["id"] != tt.want {
				t.Errorf("shown: %v", shown)
			}
		})
	}
}
