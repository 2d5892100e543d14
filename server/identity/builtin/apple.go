package builtin

import (
	"context"
	"time"

	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/identity/idtoken"
	"github.com/parsescale/parsescale/server/parseerror"
)

// OpenIDOptions are the options of apple and google.
type OpenIDOptions struct {
	// ClientID are the ids of this app at the provider: a string or a list. Required.
	ClientID []string `json:"clientId"`
	// CacheMaxAge is how long the provider's keys are used before they are asked for again, in milliseconds. Default:
	// 3600000, an hour.
	CacheMaxAge float64 `json:"cacheMaxAge"`
	// CacheMaxEntries has no effect: all keys of a provider are kept, up to a hundred.
	CacheMaxEntries float64 `json:"cacheMaxEntries"`
}

func wrong(format string, args ...any) error {
	return parseerror.New(parseerror.ObjectNotFound, format, args...)
}

// openID verifies ID tokens: authData is {"id":…} with the token.
type openID struct {
	member   string // of authData, that holds the token
	verifier idtoken.Verifier
}

// Validate implements identity.Adapter.
func (o *openID) Validate(ctx context.Context, r *identity.Request) (identity.Outcome, error) {
	token, _ := r.AuthData[o.member].(string)
	if token == "" {
		return identity.Outcome{}, wrong("id token is invalid for this user.")
	}
	subject, err := o.verifier.Verify(ctx, token)
	if err != nil {
		return identity.Outcome{}, err
	}
	if r.AuthData["id"] != subject {
		return identity.Outcome{}, wrong("auth data is invalid for this user.")
	}
	return identity.Outcome{}, nil
}

func (f *factory) keys(url string, maxAge float64) *idtoken.Keys {
	return idtoken.NewKeys(idtoken.KeysOptions{
		URL: url, Client: f.client, MaxAge: time.Duration(maxAge) * time.Millisecond, Now: f.o.Now,
	})
}

func (f *factory) apple(o OpenIDOptions) identity.Adapter {
	const issuer = "https://appleid.apple.com"
	return &openID{member: "token", verifier: idtoken.Verifier{
		Keys: f.keys(f.o.Endpoints.AppleKeys, o.CacheMaxAge), Issuers: []string{issuer}, Audiences: o.ClientID, Now: f.o.Now,
		WrongIssuer: "id token not issued by correct OpenID provider - expected: " + issuer,
	}}
}

func (f *factory) google(o OpenIDOptions) identity.Adapter {
	const issuer = "accounts.google.com"
	return &openID{member: "id_token", verifier: idtoken.Verifier{
		Keys: f.keys(f.o.Endpoints.GoogleKeys, o.CacheMaxAge), Issuers: []string{issuer, "https://" + issuer}, Audiences: o.ClientID, Now: f.o.Now,
		WrongIssuer: "id token not issued by correct provider - expected: " + issuer + " or https://" + issuer,
	}}
}
