package server

import (
	"context"
	"strings"

	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/postgres"
	"github.com/parsescale/parsescale/server/storage/sqlite"
)

// openStore opens the database that the address's scheme picks.
func openStore(ctx context.Context, o *config.Options, env Environment) (storage.Store, error) {
	uri := string(o.DatabaseURI)
	if strings.HasPrefix(uri, sqliteScheme) {
		return sqlite.Open(ctx, sqlite.Options{URI: uri, App: o.AppID, Announcer: env.Announcer, AuthProviders: uniqueProviders(o, env)})
	}
	return postgres.Open(ctx, postgres.Options{
		URI: uri, App: o.AppID, Announcer: env.Announcer, Logger: env.Logger, AuthProviders: uniqueProviders(o, env),
	})
}

const sqliteScheme = "sqlite://"
