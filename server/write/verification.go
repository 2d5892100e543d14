package write

import (
	"io"
	"time"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/storage"
)

// EmailVerification says how users prove that an address is theirs. The zero value asks for no proof.
type EmailVerification struct {
	// Verify asks for a proof of every address. Default: false.
	Verify bool
	// PreventLogin opens no session as long as there is no proof. Default: false.
	PreventLogin bool
	// PreventSignup refuses the sign-up, although the user is kept, if PreventLogin would open no session.
	// Default: false.
	PreventSignup bool
	// TokenValidity is how long a proof can be given; 0: for ever. Default: 0.
	TokenValidity time.Duration
	// Send sends a user, of whom it gets the row, the link with the token. It must not block. Nil: nobody does.
	Send func(user storage.Object)
}

// NewEmailToken returns the columns of a token that goes to an address.
func (v *EmailVerification) NewEmailToken(random io.Reader, now time.Time) (storage.Object, error) {
	token, err := NewToken(random)
	if err != nil {
		return nil, err
	}
	set := storage.Object{"_email_verify_token": token, "emailVerified": false}
	if v.TokenValidity > 0 {
		set["_email_verify_token_expires_at"] = query.Date{Time: now.Add(v.TokenValidity).UTC().Truncate(time.Millisecond)}
	}
	return set, nil
}

// NewToken returns a token for a link in a mail, of 25 letters and digits as parse-server's.
func NewToken(random io.Reader) (string, error) { return randomString(random, 25) }

// askToVerify makes the address that the body sets one that has yet to be verified. Users who are known by a third party
// are not asked.
func (w *writing) askToVerify() error {
	if !w.o.EmailVerification.Verify {
		return nil
	}
	if _, only := w.authData()[anonymous]; len(w.authData()) > 1 || len(w.authData()) == 1 && !only {
		return nil
	}
	set, err := w.o.EmailVerification.NewEmailToken(w.o.Random, w.now.Time)
	if err != nil {
		return err
	}
	for column, v := range set {
		w.put(column, v)
	}
	w.mail = w.o.EmailVerification.Send
	return nil
}

// posted adds to a result the mail that is to be sent.
func (w *writing) posted(res *Result) *Result {
	if send, row := w.mail, w.row; send != nil {
		res.After(func() { send(row) })
	}
	return res
}

// unverified reports whether a new user gets no session before the address is verified.
func (w *writing) unverified() bool {
	return w.o.EmailVerification.Verify && w.o.EmailVerification.PreventLogin
}

func notVerified() *parseerror.Error {
	return parseerror.New(parseerror.EmailNotFound, "User email is not verified.")
}
