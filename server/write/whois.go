package write

import (
	"context"
	"maps"
	"slices"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
)

// Providers returns the auth providers.
func (p *Path) Providers() *identity.Providers { return p.providers }

// WhoIs returns the id and the authData of the one user whom authData proves somebody to be. Whatever is wrong gives the
// same error, so that nothing can be learned of who has an account.
func (p *Path) WhoIs(ctx context.Context, c auth.Caller, sent map[string]any) (id string, stored map[string]any, err error) {
	unknown := parseerror.New(parseerror.ObjectNotFound, "User not found.")
	for _, provider := range slices.Sorted(maps.Keys(sent)) {
		if m, ok := sent[provider].(map[string]any); ok && p.providers.Has(provider) && query.Truthy(m["id"]) {
			if _, ok := m["id"].(string); !ok {
				return "", nil, badID(provider)
			}
		}
	}
	found, _, err := p.identify(ctx, sent, nil)
	if err != nil {
		return "", nil, unknown
	}
	st, err := p.look(ctx, &Claim{caller: c, sent: found})
	if err != nil {
		return "", nil, err
	}
	owners := st.visible(c)
	if len(owners) != 1 {
		return "", nil, unknown
	}
	user := owners[0]
	for _, provider := range slices.Sorted(maps.Keys(found)) {
		if idOf(found[provider]) == "" {
			continue
		}
		data, _ := found[provider].(map[string]any)
		has, _ := user.authData[provider].(map[string]any)
		if has == nil || has["id"] != data["id"] {
			return "", nil, unknown // it is by another provider that the user was found
		}
		_, err := p.providers.Validate(ctx, &identity.Request{
			Provider: provider, Stage: identity.LogIn, AuthData: data, UserID: user.id, Stored: has,
			Master: c.Master, Challenge: true, IP: c.IP, InstallationID: c.InstallationID,
		})
		if err != nil {
			return "", nil, unknown
		}
	}
	return user.id, user.authData, nil
}
