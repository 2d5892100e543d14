package mfa

import (
	"context"
	"crypto/subtle"
	"maps"
	"regexp"
	"time"

	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/query"
)

// mobileForm is parse-server's idea of a telephone number; its length is bounded here.
var mobileForm = regexp.MustCompile(`^\+*\(?[0-9]{1,3}\)?[-\s./0-9]*$`)

const maxMobile = 64

// setUpSMS sends a token to the number, which becomes the user's when the token comes back.
func (a *Adapter) setUpSMS(ctx context.Context, mobile string) (identity.Outcome, error) {
	token, expiry, err := a.send(ctx, mobile)
	if err != nil {
		return identity.Outcome{}, err
	}
	pending := map[string]any{mobile: map[string]any{"token": token, "expiry": expiry}}
	return identity.Outcome{Save: map[string]any{"pending": pending}}, nil
}

// confirmSMS makes a number the user's whose token came back.
func (a *Adapter) confirmSMS(mobile, token string, stored map[string]any) (identity.Outcome, error) {
	pending, _ := stored["pending"].(map[string]any)
	sent, ok := pending[mobile].(map[string]any)
	if !ok {
		return identity.Outcome{}, identity.Refuse("This number is not pending")
	}
	if !a.matches(sent, token) {
		return identity.Outcome{}, errToken
	}
	save, rest := maps.Clone(stored), maps.Clone(pending)
	delete(rest, mobile)
	save["pending"], save["mobile"] = rest, mobile
	return identity.Outcome{Save: save}, nil
}

// logInSMS checks the token that was sent, or sends one: then the log-in fails, and what was sent is kept.
func (a *Adapter) logInSMS(ctx context.Context, mobile string, sent any, stored map[string]any) (identity.Outcome, error) {
	save := maps.Clone(stored)
	if sent == "request" {
		token, expiry, err := a.send(ctx, mobile)
		if err != nil {
			return identity.Outcome{}, err
		}
		save["token"], save["expiry"] = token, expiry
		return identity.Outcome{Save: save, Then: identity.Refuse("Please enter the token")}, nil
	}
	token, _ := sent.(string)
	if !a.matches(stored, token) {
		return identity.Outcome{}, errToken
	}
	delete(save, "token")
	delete(save, "expiry")
	return identity.Outcome{Save: save}, nil
}

// matches reports whether a token is the one that was sent, and still good.
func (a *Adapter) matches(sent map[string]any, token string) bool {
	want, _ := sent["token"].(string)
	if want == "" || subtle.ConstantTimeCompare([]byte(want), []byte(token)) != 1 {
		return false
	}
	var expiry time.Time
	switch e := sent["expiry"].(type) {
	case query.Date:
		expiry = e.Time
	case string: // parse-server's form on PostgreSQL
		expiry, _ = time.Parse(time.RFC3339, e)
	}
	return !a.o.Now().After(expiry)
}

// send sends a new token to a number.
func (a *Adapter) send(ctx context.Context, mobile string) (token string, expiry query.Date, err error) {
	if len(mobile) > maxMobile || !mobileForm.MatchString(mobile) {
		return "", expiry, identity.Refuse("Invalid mobile number.")
	}
	if token, err = a.draw(a.o.Digits, decimal); err != nil {
		return "", expiry, err
	}
	if err := a.o.SendSMS(ctx, token, mobile); err != nil {
		return "", expiry, err
	}
	return token, query.Date{Time: a.o.Now().UTC().Add(time.Duration(a.o.Period) * time.Second).Truncate(time.Millisecond)}, nil
}
