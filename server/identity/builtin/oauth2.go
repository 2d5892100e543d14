package builtin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/identity/fetch"
)

// OAuth2Options are the options of a provider with "oauth2": true, of any name.
type OAuth2Options struct {
	// OAuth2 picks this adapter. Required.
	OAuth2 bool `json:"oauth2"`
	// TokenIntrospectionEndpointURL is where access tokens are looked into (RFC 7662). Required.
	TokenIntrospectionEndpointURL string `json:"tokenIntrospectionEndpointUrl"`
	// UserIDField is the member of its answer that must be the user's id. Default: sub.
	UserIDField string `json:"useridField"`
	// AppIDField is the member that must be one of AppIDs, or a list that has one. Default: none, any token counts.
	AppIDField string `json:"appidField"`
	// AppIDs are the ids of this app. Required with AppIDField.
	AppIDs []string `json:"appIds"`
	// AuthorizationHeader is sent as Authorization. Default: none.
	AuthorizationHeader string `json:"authorizationHeader"`
}

type oauth2 struct {
	o      OAuth2Options
	client *fetch.Client
}

func (f *factory) oauth2(o OAuth2Options) (identity.Adapter, error) {
	u, err := url.Parse(o.TokenIntrospectionEndpointURL)
	switch {
	case o.TokenIntrospectionEndpointURL == "":
		return nil, errors.New("OAuth2 token introspection endpoint URL is missing.") //nolint:revive,staticcheck // parse-server's words
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, errors.New("tokenIntrospectionEndpointUrl must be a URL starting with http:// or https://")
	case o.AppIDField != "" && (len(o.AppIDs) == 0 || slices.Contains(o.AppIDs, "")):
		return nil, errors.New("OAuth2 configuration is missing app IDs.") //nolint:revive,staticcheck // parse-server's words
	case o.AppIDField == "" && len(o.AppIDs) > 0:
		return nil, errors.New("appIds have no effect without appidField, the member of the introspection's answer that is compared with them")
	}
	if o.UserIDField == "" {
		o.UserIDField = "sub"
	}
	return &oauth2{o: o, client: f.client}, nil
}

// Validate implements identity.Adapter.
func (a *oauth2) Validate(ctx context.Context, r *identity.Request) (identity.Outcome, error) {
	invalid := wrong("OAuth2 access token is invalid for this user.")
	token, _ := r.AuthData["access_token"].(string)
	id, _ := r.AuthData["id"].(string)
	if token == "" || id == "" || len(token) > maxSecret {
		return identity.Outcome{}, invalid
	}
	info, err := a.introspect(ctx, token)
	if err != nil {
		return identity.Outcome{}, err
	}
	if a.o.AppIDField != "" && !a.ours(info[a.o.AppIDField]) {
		return identity.Outcome{}, wrong("OAuth2: Invalid app ID.")
	}
	if info["active"] != true || info[a.o.UserIDField] != id {
		return identity.Outcome{}, invalid
	}
	return identity.Outcome{}, nil
}

// ours reports whether a token was made for this app.
func (a *oauth2) ours(v any) bool {
	if list, ok := v.([]any); ok {
		return slices.ContainsFunc(list, a.ours)
	}
	s, ok := v.(string)
	return ok && slices.Contains(a.o.AppIDs, s)
}

func (a *oauth2) introspect(ctx context.Context, token string) (map[string]any, error) {
	body := url.Values{"token": {token}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.o.TokenIntrospectionEndpointURL, strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("cannot look into a token: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if a.o.AuthorizationHeader != "" {
		r.Header.Set("Authorization", a.o.AuthorizationHeader)
	}
	var info map[string]any
	status, err := a.client.JSON(ctx, r, &info)
	if status != 0 && (status < 200 || status > 299) {
		return nil, wrong("OAuth2 token introspection request failed.")
	}
	return info, err
}
