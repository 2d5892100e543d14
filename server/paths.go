package server

import (
	"time"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/classes"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/mail"
	"github.com/parsescale/parsescale/server/read"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/trigger"
	"github.com/parsescale/parsescale/server/users"
	"github.com/parsescale/parsescale/server/users/password"
	"github.com/parsescale/parsescale/server/write"
)

// paths are the ways through which every door reaches the data.
type paths struct {
	read  *read.Path
	write *write.Path
	users *users.Users
	// classes is the way of the schema API.
	classes *classes.Path
}

func newPaths(o *config.Options, store storage.Store, env Environment, postman *mail.Postman, fileURL func([]byte, string) []byte, code trigger.Code) (paths, error) {
	access := auth.Options{
		AllowClientClassCreation:   o.AllowClientClassCreation,
		ProtectedFields:            o.ProtectedFields,
		ProtectedFieldsOwnerExempt: o.ProtectedFieldsOwnerExempt,
	}
	reading := read.DefaultOptions()
	reading.Options = access
	reading.DefaultLimit, reading.MaxLimit = o.DefaultLimit, o.MaxLimit
	reading.IncludeDepth, reading.IncludeCount = o.RequestComplexity.IncludeDepth, o.RequestComplexity.IncludeCount
	reading.SubqueryLimit = o.RequestComplexity.SubqueryLimit
	reading.AllowPublicExplain = o.AllowPublicExplain
	reading.FileURL = fileURL
	reading.Shared = env.Gateway

	reading.Code, reading.TriggersSeeAll = code, o.ProtectedFieldsTriggerExempt

	writing := write.DefaultOptions()
	writing.Code, writing.Logger = code, env.Logger
	writing.Options = access
	writing.ProtectedFieldsSaveResponseExempt = o.ProtectedFieldsSaveResponseExempt
	writing.AllowCustomObjectID, writing.ObjectIDSize = o.AllowCustomObjectID, o.ObjectIDSize
	writing.RequestKeywordDenylist = make([]write.Keyword, len(o.RequestKeywordDenylist))
	for i, k := range o.RequestKeywordDenylist {
		writing.RequestKeywordDenylist[i] = write.Keyword(k)
	}
	writing.RequestIDTTL = time.Duration(o.IdempotencyOptions.TTL * float64(time.Second))
	writing.Installations = write.Installations{
		Clear:              o.Installation.DuplicateDeviceTokenAction == "update",
		EnforceAuth:        o.Installation.DuplicateDeviceTokenActionEnforceAuth,
		KeepInstallationID: o.Installation.DuplicateDeviceTokenMergePriority == "installationId",
	}
	writing.SessionLength, writing.ExpireInactiveSessions = o.SessionLength, o.ExpireInactiveSessions
	writing.RevokeSessionOnPasswordReset = o.RevokeSessionOnPasswordReset
	writing.EnforcePrivateUsers = o.EnforcePrivateUsers
	writing.ConvertEmailToLowercase, writing.ConvertUsernameToLowercase = o.ConvertEmailToLowercase, o.ConvertUsernameToLowercase

	providers, err := newProviders(o, env)
	if err != nil {
		return paths{}, err
	}
	reading.AuthData, writing.Providers = providers, providers
	accounts, err := accountOptions(o, env, postman, &writing)
	if err != nil {
		return paths{}, err
	}
	accounts.Code = code
	passwords := env.Passwords
	if passwords == nil {
		passwords = password.New(0, 0)
	}
	p := paths{read: read.New(store, reading)}
	p.write = write.New(store, p.read, passwords, writing)
	p.classes = classes.New(store, classes.Options{AllowCustomObjectID: o.AllowCustomObjectID})
	p.users = users.New(store, p.read, p.write, passwords, accounts)
	return p, nil
}
