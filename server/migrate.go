package server

import (
	"context"

	"github.com/parsescale/parsescale/server/classes"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/migration"
)

// migrate brings the classes to what the option schema defines, before the first request.
func migrate(ctx context.Context, o *config.Options, env Environment, p *classes.Path) error {
	if o.Schema == nil {
		return nil
	}
	list := make([]migration.Definition, len(o.Schema.Definitions))
	for i, d := range o.Schema.Definitions {
		list[i] = migration.Definition{ClassName: d.ClassName, Fields: d.Fields, Indexes: d.Indexes, ClassLevelPermissions: d.ClassLevelPermissions}
	}
	return migration.Run(ctx, p, migration.Options{
		Definitions: list, Strict: o.Schema.Strict, DeleteExtraFields: o.Schema.DeleteExtraFields,
		RecreateModifiedFields: o.Schema.RecreateModifiedFields, KeepUnknownIndexes: o.Schema.KeepUnknownIndexes, Logger: env.Logger,
	})
}
