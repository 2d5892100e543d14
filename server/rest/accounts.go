package rest

import "github.com/parsescale/parsescale/server/query"

// value returns a member of the body, decoded; nil when there is none.
func (c *call) value(name string) any {
	raw := c.body.get(name)
	if raw == nil {
		return nil
	}
	v, _ := query.Decode(raw)
	return v
}

func (a *API) requestPasswordReset(c *call) (*answer, error) {
	return written(a.o.Users.RequestReset(c.ctx, c.caller, c.value("email"), c.value("token"), c.writeID))
}

func (a *API) verificationEmailRequest(c *call) (*answer, error) {
	return written(a.o.Users.RequestVerification(c.ctx, c.caller, c.value("email"), c.writeID))
}

func (a *API) upgradeToRevocableSession(c *call) (*answer, error) {
	return written(a.o.Users.Upgrade(c.ctx, c.caller, c.writeID))
}
