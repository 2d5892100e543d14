package server

import (
	"maps"
	"slices"

	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/identity/builtin"
)

// newProviders makes the auth providers: the built-in ones as the options say, and over them those that came as code.
func newProviders(o *config.Options, env Environment) (*identity.Providers, error) {
	adapters, err := builtin.Build(builtin.Options{Auth: o.Auth, Anonymous: o.EnableAnonymousUsers, Endpoints: env.AuthEndpoints})
	if err != nil {
		return nil, err
	}
	maps.Copy(adapters, env.AuthAdapters)
	return identity.New(identity.Options{Adapters: adapters, Reserved: builtin.Reserved(), Logger: env.Logger})
}

// uniqueProviders are the names of the providers whose users' ids are unique.
func uniqueProviders(o *config.Options, env Environment) []string {
	names := o.AuthProviderNames()
	for name := range env.AuthAdapters {
		if identity.ValidName(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
