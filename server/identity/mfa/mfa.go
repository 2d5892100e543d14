// Package mfa is the auth adapter for a second factor: one-time passwords of an authenticator app, with two recovery
// codes, or by text message. What it stores is what parse-server stores, so that both serve one database.
//
// It must not know how messages are sent.
package mfa

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/parsescale/parsescale/server/identity"
)

// Options are the options of the adapter, by parse-server's names.
type Options struct {
	// Options are the factors that users may set up: TOTP, SMS or both. Required.
	Options []string `json:"options"`
	// Digits is the length of one-time passwords, 4 to 10. Default: 6.
	Digits int `json:"digits"`
	// Period is for how long a one-time password is valid, in seconds, at least 10. Default: 30.
	Period int `json:"period"`
	// Algorithm is the hash of one-time passwords. Default: SHA1.
	Algorithm string `json:"algorithm"`
	// SendSMS sends a one-time password to a telephone. It can't be configured in JSON. Required for SMS.
	SendSMS func(ctx context.Context, token, mobile string) error `json:"-"`
	// Now is the clock. Default: time.Now.
	Now func() time.Time `json:"-"`
	// Random is where recovery codes and tokens come from. Default: crypto/rand.
	Random io.Reader `json:"-"`
}

// Adapter is the adapter. It implements identity.Adapter, identity.Policied and identity.AfterFinder.
type Adapter struct {
	o         Options
	sms, totp bool
	password  totp
}

// New checks the options.
func New(o Options) (*Adapter, error) {
	a := &Adapter{o: o, sms: slices.Contains(o.Options, "SMS"), totp: slices.Contains(o.Options, "TOTP")}
	if a.o.Digits == 0 {
		a.o.Digits = 6
	}
	if a.o.Period == 0 {
		a.o.Period = 30
	}
	if a.o.Now == nil {
		a.o.Now = time.Now
	}
	if a.o.Random == nil {
		a.o.Random = rand.Reader
	}
	name := strings.ToUpper(a.o.Algorithm)
	if name == "" {
		name = "SHA1"
	}
	hash := algorithms[name]
	if hash == nil {
		hash = algorithms[strings.Replace(name, "-", "", 1)]
	}
	switch {
	case !a.sms && !a.totp:
		return nil, errors.New("mfa.options must include SMS or TOTP")
	case a.o.Digits < 4 || a.o.Digits > 10:
		return nil, errors.New("mfa.digits must be between 4 and 10")
	case a.o.Period < 10:
		return nil, errors.New("mfa.period must be greater than 10")
	case a.sms && o.SendSMS == nil:
		return nil, errors.New("mfa.sendSMS callback must be defined when using SMS OTPs")
	case hash == nil:
		return nil, errors.New("mfa.algorithm must be one of SHA1, SHA224, SHA256, SHA384, SHA512 and SHA3-224 to SHA3-512")
	}
	a.password = totp{hash: hash, digits: a.o.Digits, period: time.Duration(a.o.Period) * time.Second}
	return a, nil
}

var (
	errData  = identity.Refuse("Invalid MFA data")
	errToken = identity.Refuse("Invalid MFA token")
)

// Validate implements identity.Adapter.
func (a *Adapter) Validate(ctx context.Context, r *identity.Request) (identity.Outcome, error) {
	switch r.Stage {
	case identity.LogIn:
		return a.logIn(ctx, r.AuthData["token"], r.Stored)
	case identity.Update:
		return a.update(ctx, r)
	}
	return a.setUp(ctx, r.AuthData)
}

func (a *Adapter) setUp(ctx context.Context, sent map[string]any) (identity.Outcome, error) {
	if mobile, ok := sent["mobile"].(string); ok && mobile != "" && a.sms {
		return a.setUpSMS(ctx, mobile)
	}
	if a.totp {
		return a.setUpTOTP(sent)
	}
	return identity.Outcome{}, errData
}

// maxSecret bounds a secret, in characters, and minKey what it decodes to, in bytes.
const (
	maxSecret = 512
	minKey    = 10
)

// setUpTOTP takes a secret once its first password has been shown to be known.
func (a *Adapter) setUpTOTP(sent map[string]any) (identity.Outcome, error) {
	secret, _ := sent["secret"].(string)
	if len(secret) < 20 || len(secret) > maxSecret || sent["token"] == nil || sent["token"] == "" {
		return identity.Outcome{}, errData
	}
	key, err := decodeSecret(secret)
	if err != nil {
		return identity.Outcome{}, err
	}
	if len(key) < minKey {
		return identity.Outcome{}, errData
	}
	if token, _ := sent["token"].(string); !a.password.check(key, token, a.o.Now()) {
		return identity.Outcome{}, errToken
	}
	var recovery [2]string
	for i := range recovery {
		if recovery[i], err = a.draw(30, alphanumeric); err != nil {
			return identity.Outcome{}, err
		}
	}
	return identity.Outcome{
		Response: map[string]any{"recovery": recovery[0] + ", " + recovery[1]},
		Save:     map[string]any{"secret": secret, "recovery": []any{recovery[0], recovery[1]}},
	}, nil
}

// logIn checks a one-time password or takes a recovery code, which is used up.
func (a *Adapter) logIn(ctx context.Context, sent any, stored map[string]any) (identity.Outcome, error) {
	if mobile, _ := stored["mobile"].(string); a.sms && mobile != "" {
		return a.logInSMS(ctx, mobile, sent, stored)
	}
	if !a.totp {
		return identity.Outcome{DoNotSave: true}, nil
	}
	token, ok := sent.(string)
	if !ok {
		return identity.Outcome{}, errToken
	}
	secret, _ := stored["secret"].(string)
	if secret == "" {
		return identity.Outcome{DoNotSave: true}, nil
	}
	codes, _ := stored["recovery"].([]any)
	if at := indexOf(codes, token); at >= 0 {
		save := maps.Clone(stored)
		save["recovery"] = slices.Delete(slices.Clone(codes), at, at+1)
		return identity.Outcome{Save: save}, nil
	}
	key, err := decodeSecret(secret)
	if err != nil || !a.password.check(key, token, a.o.Now()) {
		return identity.Outcome{}, errToken
	}
	return identity.Outcome{DoNotSave: true}, nil
}

// indexOf returns where a code stands, without telling by the time it takes.
func indexOf(codes []any, token string) int {
	at := -1
	for i, c := range codes {
		code, _ := c.(string)
		if subtle.ConstantTimeCompare([]byte(code), []byte(token)) == 1 && code != "" {
			at = i
		}
	}
	return at
}

// update changes the factor of a user who proves to have the old one. The master key needs no proof.
func (a *Adapter) update(ctx context.Context, r *identity.Request) (identity.Outcome, error) {
	if r.Master {
		return identity.Outcome{}, nil
	}
	if mobile, _ := r.AuthData["mobile"].(string); mobile != "" && a.sms {
		if token, _ := r.AuthData["token"].(string); token != "" {
			return a.confirmSMS(mobile, token, r.Stored)
		}
		return identity.Outcome{}, identity.Refuse("MFA is already set up on this account")
	}
	if a.totp {
		if _, err := a.logIn(ctx, r.AuthData["old"], r.Stored); err != nil {
			return identity.Outcome{}, err
		}
		return a.setUp(ctx, r.AuthData)
	}
	return identity.Outcome{}, errData
}

// Policy implements identity.Policied.
func (a *Adapter) Policy(r *identity.Request) identity.Policy {
	if a.sms && r.Stored["pending"] != nil && len(r.Stored) == 1 {
		return identity.Default
	}
	return identity.Additional
}

// AfterFind implements identity.AfterFinder: users learn whether there is a second factor, the master key everything.
func (a *Adapter) AfterFind(stored map[string]any, v identity.Viewer) map[string]any {
	if v.Master {
		return stored
	}
	secret, _ := stored["secret"].(string)
	mobile, _ := stored["mobile"].(string)
	if a.totp && secret != "" || a.sms && mobile != "" {
		return map[string]any{"status": "enabled"}
	}
	return map[string]any{"status": "disabled"}
}

const (
	alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	decimal      = "0123456789"
)

// draw returns random characters of an alphabet, each as likely as any other.
func (a *Adapter) draw(n int, alphabet string) (string, error) {
	out := make([]byte, 0, n)
	fair := 256 - 256%len(alphabet)
	var buf [64]byte
	for len(out) < n {
		if _, err := io.ReadFull(a.o.Random, buf[:]); err != nil {
			return "", err
		}
		for _, b := range buf {
			if int(b) < fair && len(out) < n {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out), nil
}
