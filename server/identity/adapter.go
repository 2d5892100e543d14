package identity

import (
	"context"
	"errors"
)

// Stage says what a client is doing with a provider.
type Stage uint8

const (
	// SetUp links a provider that the user doesn't have yet: at sign-up, or later.
	SetUp Stage = iota
	// LogIn proves to be a user who has the provider.
	LogIn
	// Update changes the provider's data of a user who is logged in, or whom the master key acts for.
	Update
)

// Policy says whether a provider is enough to log in.
type Policy uint8

const (
	// Default providers are enough, unless the user has an Additional one.
	Default Policy = iota
	// Additional providers must be sent with each log-in of a user who has them, beside a password or another provider.
	// Of several, one is enough.
	Additional
	// Solo providers are enough even for a user who has Additional ones.
	Solo
)

// Request is what an adapter is asked about. Adapters don't change the maps in it.
type Request struct {
	Provider string
	Stage    Stage
	// AuthData is what the client sent, after Identify.
	AuthData map[string]any
	// UserID is the user whom it is about; "" for one who isn't there yet. Stored is what that user has at this
	// provider, nil for nothing.
	UserID string
	Stored map[string]any
	// Master: the caller has the master key.
	Master bool
	// Challenge: the client isn't logging in but asks for a challenge.
	Challenge bool
	// IP is the client's address, "" if unknown; InstallationID the one it sent.
	IP, InstallationID string
}

// Outcome is what comes of authData that is right. The zero value stores it as it was sent.
type Outcome struct {
	// Response, if not nil, is shown to the client as authDataResponse.<provider>.
	Response any
	// Save, if not nil, is stored in place of what was sent.
	Save map[string]any
	// DoNotSave leaves what is stored as it is.
	DoNotSave bool
	// Then, if not nil, is the answer to a log-in in place of the user, once Save is stored: a code had to be sent first.
	Then error
}

// Adapter verifies one provider's authData. It is called concurrently. Its error is the client's if it is a
// *parseerror.Error or comes from Refuse; any other stays in the log.
type Adapter interface {
	Validate(ctx context.Context, r *Request) (Outcome, error)
}

// Identifier is an Adapter that finds out the id itself, say by exchanging a code. Identify returns the authData to go on
// with; it is called before users are looked up by its "id".
type Identifier interface {
	Identify(ctx context.Context, authData map[string]any) (map[string]any, error)
}

// Policied is an Adapter whose policy isn't Default. r.Stored is set, r.AuthData isn't.
type Policied interface {
	Policy(r *Request) Policy
}

// Challenger is an Adapter that has something to send before the log-in. data is what the client sent for it, of any
// type; r.AuthData what it sent to say who it is, if anything; r.UserID is "" if it didn't prove that.
type Challenger interface {
	Challenge(ctx context.Context, data any, r *Request) (any, error)
}

// Viewer is who reads a user's authData: the user, or somebody with a privileged key.
type Viewer struct {
	UserID string
	Master bool
}

// AfterFinder is an Adapter that doesn't show its data as it is stored. It returns what is shown.
type AfterFinder interface {
	AfterFind(stored map[string]any, v Viewer) map[string]any
}

// refusal is an error that the client may read.
type refusal struct{ message string }

func (r *refusal) Error() string { return r.message }

// Refuse returns an error whose text the client reads, with code 141.
func Refuse(message string) error { return &refusal{message} }

// Failure is the error of a provider that couldn't be asked: the client gets Answer, the log Cause.
type Failure struct{ Answer, Cause error }

// Error implements error.
func (f *Failure) Error() string { return f.Answer.Error() + ": " + f.Cause.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Cause }

// refused returns the text of an error made by Refuse.
func refused(err error) (string, bool) {
	var r *refusal
	if errors.As(err, &r) {
		return r.message, true
	}
	return "", false
}
