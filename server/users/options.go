package users

import (
	"crypto/rand"
	"io"
	"time"

	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/trigger"
	"github.com/parsescale/parsescale/server/write"
)

// Options are the options of accounts, by what they do. Start from DefaultOptions.
type Options struct {
	// Lockout locks accounts after failed log-ins. Default: it doesn't.
	Lockout Lockout
	// MaxPasswordAge is after how long a password no longer logs in; 0: never. Default: 0.
	MaxPasswordAge time.Duration
	// Verification is how users prove their addresses; the write path's is the same. Default: they needn't.
	Verification write.EmailVerification
	// ReuseVerifyToken sends the link to verify an address again as long as it works. Default: false.
	ReuseVerifyToken bool
	// VerifySuccessOnUnknown answers requests for such a link alike, whether or not there is such an address.
	// Default: true.
	VerifySuccessOnUnknown bool
	// Reset is how passwords are reset by mail.
	Reset Reset
	// MailConfigured reports why no mail can be sent; nil: it can. Default: it can't.
	MailConfigured error
	// ExtendSessionOnUse gives sessions their full length again when they are used after half of it. Default: false.
	ExtendSessionOnUse bool
	// SessionLength is how long a session lasts. Default: a year.
	SessionLength time.Duration
	// Code is the app's own code, which is asked about log-ins and the like. Default: there is none.
	Code trigger.Code
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Random is where tokens come from. Default: crypto/rand.
	Random io.Reader
}

// Reset says how passwords are reset by mail.
type Reset struct {
	// TokenValidity is how long a link works; 0: for ever. Default: 0.
	TokenValidity time.Duration
	// ReuseToken sends the same link again as long as it works. Default: false.
	ReuseToken bool
	// SuccessOnUnknown answers requests for a link alike, whether or not there is such an address. Default: true.
	SuccessOnUnknown bool
	// Send sends a user, of whom it gets the row, the link with the token. It must not block. Nil: nobody does.
	Send func(user storage.Object)
}

// DefaultOptions returns parse-server's defaults.
func DefaultOptions() Options {
	return Options{
		VerifySuccessOnUnknown: true,
		Reset:                  Reset{SuccessOnUnknown: true},
		MailConfigured:         errNoMail,
		SessionLength:          365 * 24 * time.Hour,
		Now:                    time.Now,
		Random:                 rand.Reader,
	}
}
