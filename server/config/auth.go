package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/parsescale/parsescale/server/identity/builtin"
)

// AuthProviders are the options of auth providers by name. They hold secrets: formatting and logging show "redacted".
type AuthProviders map[string]map[string]any

// String implements fmt.Stringer.
func (AuthProviders) String() string { return redacted }

// Format implements fmt.Formatter, so that no verb shows the secrets.
func (AuthProviders) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements slog.LogValuer.
func (AuthProviders) LogValue() slog.Value { return slog.StringValue(redacted) }

// UnmarshalJSON implements json.Unmarshaler. A provider's options are an object; a text is the name of a module.
func (a *AuthProviders) UnmarshalJSON(data []byte) error {
	var raw map[string]any
	if err := json.Unmarshal(data, &raw); err != nil {
		return errors.New("option auth must be an object")
	}
	*a = make(AuthProviders, len(raw))
	for name, v := range raw {
		switch v := v.(type) {
		case nil:
		case map[string]any:
			(*a)[name] = v
		case string:
			(*a)[name] = map[string]any{"module": v}
		default:
			return fmt.Errorf("option auth.%s must be an object", name)
		}
	}
	return nil
}

// checkAuth checks that adapters can be made of the options.
func (o *Options) checkAuth() error {
	_, err := builtin.Build(builtin.Options{Auth: o.Auth, Anonymous: o.EnableAnonymousUsers})
	return err
}

// AuthProviderNames returns the names of the providers whose users' ids are unique, as in parse-server: those that auth
// names, and anonymous.
func (o *Options) AuthProviderNames() []string {
	names := []string{}
	for name := range o.Auth {
		if name != "anonymous" {
			names = append(names, name)
		}
	}
	if o.EnableAnonymousUsers {
		names = append(names, "anonymous")
	}
	slices.Sort(names)
	return names
}
