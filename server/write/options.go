package write

import (
	"crypto/rand"
	"io"
	"log/slog"
	"time"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/trigger"
)

// Options are the options of writes, by parse-server's names. Start from DefaultOptions.
type Options struct {
	// Options are the options of access.
	auth.Options
	// ProtectedFieldsSaveResponseExempt shows protected fields in the answers to writes. Default: true.
	ProtectedFieldsSaveResponseExempt bool
	// AllowCustomObjectID lets clients choose the ids of new objects. Default: false.
	AllowCustomObjectID bool
	// ObjectIDSize is the length of made object ids, in characters. Default: 10.
	ObjectIDSize int
	// RequestKeywordDenylist refuses writes that hold such keys or values. Default: those that hurt JavaScript.
	RequestKeywordDenylist []Keyword
	// SessionLength is how long a session lasts, in seconds. Default: 31536000, a year.
	SessionLength int
	// ExpireInactiveSessions gives sessions an end. Default: true.
	ExpireInactiveSessions bool
	// RevokeSessionOnPasswordReset ends a user's sessions when the password changes. Default: true.
	RevokeSessionOnPasswordReset bool
	// EnforcePrivateUsers keeps new users from being publicly readable. Default: true.
	EnforcePrivateUsers bool
	// Providers are the auth providers. Default: anonymous alone.
	Providers *identity.Providers
	// ConvertEmailToLowercase and ConvertUsernameToLowercase change what is stored. Default: false.
	ConvertEmailToLowercase, ConvertUsernameToLowercase bool
	// RequestIDTTL is for how long the id of a request that must be done once is kept. Default: 5 minutes.
	RequestIDTTL time.Duration
	// Installations says what becomes of several rows for one device. Default: the older ones are deleted.
	Installations Installations
	// PasswordPolicy says what passwords must be. Default: nothing.
	PasswordPolicy PasswordPolicy
	// EmailVerification says how users prove their addresses. Default: they needn't.
	EmailVerification EmailVerification
	// Code is the app's own code, which is asked about writes. Default: there is none.
	Code trigger.Code
	// Logger gets the failures of code that runs after a write. Default: slog.Default.
	Logger *slog.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Random is where ids and tokens come from. Default: crypto/rand.
	Random io.Reader
}

// Keyword is one entry of requestKeywordDenylist: a key, a value, or both together. Both are regular expressions.
type Keyword struct {
	// Key is "" when the entry has none.
	Key string
	// Value is nil when the entry has none.
	Value any
}

// DefaultOptions returns parse-server's defaults.
func DefaultOptions() Options {
	return Options{
		Options:                           auth.DefaultOptions(),
		ProtectedFieldsSaveResponseExempt: true,
		ObjectIDSize:                      10,
		RequestKeywordDenylist: []Keyword{
			{Key: "_bsontype", Value: "Code"}, {Key: "constructor"}, {Key: "__proto__"},
		},
		SessionLength:                31536000,
		RequestIDTTL:                 5 * time.Minute,
		ExpireInactiveSessions:       true,
		RevokeSessionOnPasswordReset: true,
		EnforcePrivateUsers:          true,
		Now:                          time.Now,
		Random:                       rand.Reader,
	}
}

// anonymousAlone are the providers of who says nothing of them.
func anonymousAlone() *identity.Providers {
	p, err := identity.New(identity.Options{Adapters: map[string]identity.Adapter{anonymous: identity.Anonymous()}})
	if err != nil {
		panic(err) // the name is right
	}
	return p
}
