package builtin

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/identity/fetch"
	"github.com/parsescale/parsescale/server/parseerror"
)

// GitHubOptions are the options of github.
type GitHubOptions struct {
	// ClientID and ClientSecret are the OAuth app's. Required.
	ClientID     string `json:"clientId"`
	ClientSecret string `json:"clientSecret"`
}

// github exchanges the code that a client got for an access token, and that for the user's id.
type github struct {
	o          GitHubOptions
	token, api string
	client     *fetch.Client
}

func (f *factory) github(o GitHubOptions) identity.Adapter {
	return &github{o: o, token: f.o.Endpoints.GitHubToken, api: f.o.Endpoints.GitHubUser, client: f.client}
}

// Identify implements identity.Identifier: what is known of the user comes from GitHub alone.
func (g *github) Identify(ctx context.Context, sent map[string]any) (map[string]any, error) {
	code, _ := sent["code"].(string)
	if code == "" || len(code) > maxSecret {
		return nil, parseerror.New(parseerror.Validation, "GitHub code is required.")
	}
	token, err := g.exchange(ctx, code)
	if err != nil {
		return nil, err
	}
	id, err := g.user(ctx, token)
	if err != nil {
		return nil, err
	}
	if claimed := sent["id"]; claimed != nil && claimed != "" && claimed != id {
		return nil, wrong("GitHub auth is invalid for this user.")
	}
	out := maps.Clone(sent)
	delete(out, "code")
	delete(out, "redirect_uri")
	out["id"], out["access_token"] = id, token
	return out, nil
}

func (g *github) exchange(ctx context.Context, code string) (string, error) {
	body, err := json.Marshal(map[string]string{"client_id": g.o.ClientID, "client_secret": g.o.ClientSecret, "code": code})
	if err != nil {
		return "", fmt.Errorf("cannot ask GitHub for a token: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.token, bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("cannot ask GitHub for a token: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	var answer struct {
		Token       string `json:"access_token"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	status, err := g.client.JSON(ctx, r, &answer)
	switch {
	case status != 0 && status != http.StatusOK:
		return "", parseerror.New(parseerror.Validation, "Failed to exchange code for token: %s", http.StatusText(status))
	case err != nil:
		return "", err
	case answer.Description != "":
		return "", wrong("%s", answer.Description)
	case answer.Error != "":
		return "", wrong("%s", answer.Error)
	case answer.Token == "":
		return "", wrong("GitHub auth is invalid for this user.")
	}
	return answer.Token, nil
}

// user returns the id of the user whom a token was made for. GitHub's ids are numbers; parse-server expects text.
func (g *github) user(ctx context.Context, token string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, g.api, nil)
	if err != nil {
		return "", fmt.Errorf("cannot ask GitHub for a user: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Accept", "application/json")
	var answer struct {
		ID    jsontext.Value `json:"id"`
		Login string         `json:"login"`
	}
	status, err := g.client.JSON(ctx, r, &answer)
	switch {
	case status != 0 && status != http.StatusOK:
		return "", parseerror.New(parseerror.Validation, "Failed to fetch GitHub user: %s", http.StatusText(status))
	case err != nil:
		return "", err
	}
	id := string(answer.ID)
	switch answer.ID.Kind() {
	case '"':
		if err := json.Unmarshal(answer.ID, &id); err != nil {
			id = ""
		}
	case '0':
	default:
		id = ""
	}
	if id == "" || id == "0" || answer.Login == "" {
		return "", parseerror.New(parseerror.Validation, "Invalid GitHub user data received.")
	}
	return id, nil
}

// Validate implements identity.Adapter. Identify has done it all; data that it didn't see is what is stored already.
func (g *github) Validate(context.Context, *identity.Request) (identity.Outcome, error) {
	return identity.Outcome{}, nil
}

// AfterFind implements identity.AfterFinder.
func (g *github) AfterFind(stored map[string]any, v identity.Viewer) map[string]any {
	return idAlone{}.AfterFind(stored, v)
}

// idAlone shows no more than the id, as the adapters do that exchange codes.
type idAlone struct{ none }

// AfterFind implements identity.AfterFinder.
func (idAlone) AfterFind(stored map[string]any, _ identity.Viewer) map[string]any {
	out := map[string]any{}
	if id, ok := stored["id"]; ok {
		out["id"] = id
	}
	return out
}

// none is an adapter that nobody can use.
type none struct{}

// Validate implements identity.Adapter.
func (none) Validate(context.Context, *identity.Request) (identity.Outcome, error) {
	return identity.Outcome{}, identity.Unsupported()
}
