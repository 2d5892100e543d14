package rest

import (
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/users"
)

// credentials are the fields of a log-in: those of the query string if it names a user that the body doesn't.
func (c *call) logInFields() users.LogIn {
	var l users.LogIn
	fields := map[string]*any{
		"username": &l.Username, "email": &l.Email, "password": &l.Password,
		"ignoreEmailVerification": &l.IgnoreEmailVerification,
	}
	inBody := func(name string) bool { return truthy(c.body.get(name)) }
	useQuery := false
	for _, f := range c.query {
		if (f.name == "username" || f.name == "email") && f.value != "" && !inBody(f.name) {
			useQuery = true
		}
	}
	if useQuery {
		for _, f := range c.query {
			if to := fields[f.name]; to != nil {
				*to = f.value
			}
		}
		fields = nil
	}
	// authData is the body's in any case.
	l.AuthData, _ = query.Decode(c.body.get("authData"))
	for name, to := range fields {
		if v := c.body.get(name); v != nil {
			*to, _ = query.Decode(v)
		}
	}
	return l
}

func (a *API) logIn(c *call) (*answer, error) {
	return written(a.o.Users.LogIn(c.ctx, c.caller, c.logInFields(), c.writeID))
}

func (a *API) verifyPassword(c *call) (*answer, error) {
	return written(a.o.Users.VerifyPassword(c.ctx, c.caller, c.logInFields()))
}

func (a *API) logInAs(c *call) (*answer, error) {
	if !c.caller.Master {
		return nil, parseerror.Denied(parseerror.OperationForbidden, "master key is required")
	}
	if c.caller.ReadOnly {
		return nil, parseerror.Denied(parseerror.OperationForbidden, "read-only masterKey isn't allowed to login as another user.")
	}
	id, _ := c.body.text("userId")
	if id == "" {
		for _, f := range c.query {
			if s, ok := f.value.(string); ok && f.name == "userId" {
				id = s
			}
		}
	}
	if id == "" {
		return nil, parseerror.New(parseerror.InvalidValue, "userId must not be empty, null, or undefined")
	}
	return written(a.o.Users.LogInAs(c.ctx, c.caller, id, c.writeID))
}

func (a *API) logOut(c *call) (*answer, error) {
	return written(a.o.Users.LogOut(c.ctx, c.caller, c.writeID))
}

func (a *API) me(c *call) (*answer, error) {
	res, err := a.o.Users.Me(c.ctx, c.caller)
	if err != nil {
		return nil, err
	}
	return &answer{body: res.Body, reads: &res.Reads}, nil
}

func (a *API) currentSession(c *call) (*answer, error) {
	res, err := a.o.Users.CurrentSession(c.ctx, c.caller)
	if err != nil {
		return nil, err
	}
	return &answer{body: res.Body, reads: &res.Reads}, nil
}

func (a *API) challenge(c *call) (*answer, error) {
	if _, err := a.resolve(c); err != nil {
		return nil, err
	}
	var ch users.Challenge
	for name, to := range map[string]*any{
		"username": &ch.Username, "email": &ch.Email, "password": &ch.Password, "authData": &ch.AuthData,
		"ignoreEmailVerification": &ch.IgnoreEmailVerification, "challengeData": &ch.ChallengeData,
	} {
		*to, _ = query.Decode(c.body.get(name))
	}
	return written(a.o.Users.Challenge(c.ctx, c.caller, ch))
}
