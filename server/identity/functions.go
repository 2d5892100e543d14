package identity

import "context"

// Functions is an Adapter made of functions with the names and meanings they have in parse-server's adapters. Either
// ValidateAuthData is set, or all of ValidateSetUp, ValidateLogin and ValidateUpdate; any other may be nil.
type Functions struct {
	// BeforeFind returns the authData to go on with; see Identifier.
	BeforeFind func(ctx context.Context, authData map[string]any) (map[string]any, error)
	// ValidateAppID is called before the others.
	ValidateAppID func(ctx context.Context, r *Request) error
	// ValidateAuthData is called at every stage.
	ValidateAuthData func(ctx context.Context, r *Request) (Outcome, error)
	// ValidateSetUp, ValidateLogin and ValidateUpdate are called at their stage, if there is no ValidateAuthData.
	ValidateSetUp, ValidateLogin, ValidateUpdate func(ctx context.Context, r *Request) (Outcome, error)
	// Challenged answers a challenge; see Challenger.
	Challenged func(ctx context.Context, data any, r *Request) (any, error)
	// PolicyOf is the policy; nil: Default.
	PolicyOf func(r *Request) Policy
	// Shown returns what is shown of stored data; see AfterFinder.
	Shown func(stored map[string]any, v Viewer) map[string]any
}

// Identify implements Identifier.
func (f Functions) Identify(ctx context.Context, authData map[string]any) (map[string]any, error) {
	if f.BeforeFind == nil {
		return authData, nil
	}
	return f.BeforeFind(ctx, authData)
}

// Validate implements Adapter.
func (f Functions) Validate(ctx context.Context, r *Request) (Outcome, error) {
	if f.ValidateAppID != nil {
		if err := f.ValidateAppID(ctx, r); err != nil {
			return Outcome{}, err
		}
	}
	validate := f.ValidateAuthData
	if validate == nil {
		validate = map[Stage]func(context.Context, *Request) (Outcome, error){
			SetUp: f.ValidateSetUp, LogIn: f.ValidateLogin, Update: f.ValidateUpdate,
		}[r.Stage]
	}
	return validate(ctx, r)
}

// Policy implements Policied.
func (f Functions) Policy(r *Request) Policy {
	if f.PolicyOf == nil {
		return Default
	}
	return f.PolicyOf(r)
}

// Challenge implements Challenger, unless there is nothing to challenge.
func (f Functions) Challenge(ctx context.Context, data any, r *Request) (any, error) {
	return f.Challenged(ctx, data, r)
}

// AfterFind implements AfterFinder, unless there is nothing to hide.
func (f Functions) AfterFind(stored map[string]any, v Viewer) map[string]any {
	return f.Shown(stored, v)
}

// complete reports whether every stage has a function.
func (f Functions) complete() bool {
	return f.ValidateAuthData != nil || f.ValidateSetUp != nil && f.ValidateLogin != nil && f.ValidateUpdate != nil
}

// Anonymous is the Adapter of users who have no account yet: whoever knows an id is the user.
func Anonymous() Adapter {
	return Functions{ValidateAuthData: func(context.Context, *Request) (Outcome, error) { return Outcome{}, nil }}
}
