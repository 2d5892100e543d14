package users

import (
	"context"
	"maps"
	"slices"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/write"
)

// Challenge are the fields of a request for challenges, as they were sent: of a password's user, of one known by authData,
// or of nobody.
type Challenge struct {
	LogIn
	// ChallengeData is what goes to the auth providers, by their names.
	ChallengeData any
}

// Challenge asks auth providers for what a client needs before it can log in.
func (u *Users) Challenge(ctx context.Context, c auth.Caller, ch Challenge) (*write.Result, error) {
	if storage.Inside(ctx) { // auth providers take their time
		return nil, parseerror.New(parseerror.CommandUnavailable, "Challenges can't be made within a transaction.")
	}
	c.SessionToken = ""
	userID, sent, stored, err := u.challenged(ctx, c, ch)
	if err != nil {
		return nil, err
	}
	answers := map[string]any{}
	data, _ := ch.ChallengeData.(map[string]any)
	for _, provider := range slices.Sorted(maps.Keys(data)) {
		r := identity.Request{
			Provider: provider, UserID: userID, Challenge: true, Master: c.Master, IP: c.IP, InstallationID: c.InstallationID,
		}
		r.AuthData, _ = sent[provider].(map[string]any)
		r.Stored, _ = stored[provider].(map[string]any)
		answer, ok, err := u.writes.Providers().Challenge(ctx, data[provider], &r)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if !given(answer) {
			answer = true
		}
		answers[provider] = answer
	}
	return &write.Result{Status: 200, Body: query.AppendJSON(nil, map[string]any{"challengeData": answers})}, nil
}

// challenged returns the user whom a request for challenges proves somebody to be, if it says so, with the authData that
// was sent and that is stored.
func (u *Users) challenged(ctx context.Context, c auth.Caller, ch Challenge) (userID string, sent, stored map[string]any, err error) {
	other := func(format string, args ...any) (string, map[string]any, map[string]any, error) {
		return "", nil, nil, parseerror.New(parseerror.OtherCause, format, args...)
	}
	if given(ch.Username) || given(ch.Email) {
		if !given(ch.Password) {
			return other("You provided username or email, you need to also provide password.")
		}
		user, err := u.prove(ctx, c, ch.LogIn)
		if err != nil {
			return "", nil, nil, err
		}
		userID, _ = user["objectId"].(string)
		stored, _ = user["authData"].(map[string]any)
	}
	if !given(ch.ChallengeData) {
		return other("Nothing to challenge.")
	}
	if !isObject(ch.ChallengeData) {
		return other("challengeData should be an object.")
	}
	if !given(ch.AuthData) {
		return userID, nil, stored, nil
	}
	if !isObject(ch.AuthData) {
		return other("authData should be an object.")
	}
	if userID != "" {
		return other("You cannot provide username/email and authData, only use one identification method.")
	}
	sent, _ = ch.AuthData.(map[string]any)
	ids := 0
	for _, provider := range slices.Sorted(maps.Keys(sent)) {
		data, ok := sent[provider].(map[string]any)
		if !ok && sent[provider] != nil {
			return other("authData.%s should be an object.", provider)
		}
		if given(data["id"]) {
			ids++
		}
	}
	if ids > 1 {
		return other("You cannot provide more than one authData provider with an id.")
	}
	userID, stored, err = u.writes.WhoIs(ctx, c, sent)
	return userID, sent, stored, err
}

// isObject is JavaScript's idea of it: a list is one too.
func isObject(v any) bool {
	switch v.(type) {
	case nil, bool, float64, string:
		return false
	}
	return true
}
