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
	p := postgres.Options{
		URI: uri, App: o.AppID, Session: env.Session, Announcer: env.Announcer, Logger: env.Logger, AuthProviders: uniqueProviders(o, env),
	}
	for _, name := range o.SkipIndexes {
		if name == "createIndexAuthDataUniqueness" {
			p.AuthProviders = []string{}
		} else if index, ok := indexOptions[name]; ok {
			p.SkipIndexes = append(p.SkipIndexes, index)
		}
	}
	return postgres.Open(ctx, p)
}

// indexOptions are the indexes that options within databaseOptions keep from being made.
var indexOptions = map[string]string{
	"createIndexUserUsername":                "_User_unique_username",
	"createIndexUserUsernameCaseInsensitive": "case_insensitive_username",
	"createIndexUserEmail":                   "_User_unique_email",
	"createIndexUserEmailCaseInsensitive":    "case_insensitive_email",
	"createIndexUserEmailVerifyToken":        "_email_verify_token",
	"createIndexUserPasswordResetToken":      "_perishable_token",
	"createIndexRoleName":                    "_Role_unique_name",
}

const sqliteScheme = "sqlite://"
