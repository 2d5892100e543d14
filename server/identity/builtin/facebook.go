package builtin

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/identity/fetch"
	"github.com/parsescale/parsescale/server/identity/idtoken"
)

// maxSecret bounds tokens, codes and passwords, in bytes.
const maxSecret = 16 << 10

// FacebookOptions are the options of facebook.
type FacebookOptions struct {
	// AppIDs are the ids of this app. Required.
	AppIDs []string `json:"appIds"`
	// AppSecret proves to Facebook that the app itself asks. Default: none.
	AppSecret string `json:"appSecret"`
	// CacheMaxAge and CacheMaxEntries are as in OpenIDOptions, for Limited Login.
	CacheMaxAge     float64 `json:"cacheMaxAge"`
	CacheMaxEntries float64 `json:"cacheMaxEntries"`
}

// facebook verifies access tokens of Facebook Login, and the ID tokens of Limited Login.
type facebook struct {
	o       FacebookOptions
	graph   string
	client  *fetch.Client
	limited openID
}

func (f *factory) facebook(o FacebookOptions) identity.Adapter {
	const issuer = "https://www.facebook.com"
	return &facebook{o: o, graph: f.o.Endpoints.FacebookGraph, client: f.client, limited: openID{member: "token", verifier: idtoken.Verifier{
		Keys: f.keys(f.o.Endpoints.FacebookKeys, o.CacheMaxAge), Issuers: []string{issuer}, Audiences: o.AppIDs, Now: f.o.Now,
		WrongIssuer: "id token not issued by correct OpenID provider - expected: " + issuer,
	}}}
}

// Validate implements identity.Adapter.
func (f *facebook) Validate(ctx context.Context, r *identity.Request) (identity.Outcome, error) {
	if t := r.AuthData["token"]; t != nil && t != "" {
		return f.limited.Validate(ctx, r)
	}
	invalid := wrong("Facebook auth is invalid for this user.")
	token, _ := r.AuthData["access_token"].(string)
	id, _ := r.AuthData["id"].(string)
	if token == "" || id == "" || len(token) > maxSecret {
		return identity.Outcome{}, invalid
	}
	// First: for which app the token was made. One made for another app is no proof.
	app, err := f.ask(ctx, "app", url.Values{}, token)
	if err != nil {
		return identity.Outcome{}, err
	}
	if !slices.Contains(f.o.AppIDs, app) {
		return identity.Outcome{}, invalid
	}
	me, err := f.ask(ctx, "me", url.Values{"fields": {"id"}}, token)
	if err != nil {
		return identity.Outcome{}, err
	}
	if me != id {
		return identity.Outcome{}, invalid
	}
	return identity.Outcome{}, nil
}

// ask returns the id of what a token is about.
func (f *facebook) ask(ctx context.Context, what string, values url.Values, token string) (string, error) {
	values.Set("access_token", token)
	if f.o.AppSecret != "" {
		mac := hmac.New(sha256.New, []byte(f.o.AppSecret))
		mac.Write([]byte(token))
		values.Set("appsecret_proof", hex.EncodeToString(mac.Sum(nil)))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.graph+what+"?"+values.Encode(), nil)
	if err != nil {
		return "", fmt.Errorf("cannot ask Facebook: %w", err)
	}
	var answer struct {
		ID string `json:"id"`
	}
	status, err := f.client.JSON(ctx, r, &answer)
	if err == nil && status != http.StatusOK {
		answer.ID = ""
	}
	return answer.ID, err
}
