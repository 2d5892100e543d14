package rest

import (
	"github.com/parsescale/parsescale/server/classes"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/schema"
)

// The writes of the schema API. The routes ask for the master key; the read-only one isn't enough.

func (c *call) definition() classes.Definition {
	return classes.Definition{Fields: c.body.get("fields"), Permissions: c.body.get("classLevelPermissions"), Indexes: c.body.get("indexes")}
}

// checkSchemaWrite refuses what may not change classes; doing is a verb for the log.
func (a *API) checkSchemaWrite(c *call, doing string) error {
	if c.caller.ReadOnly {
		return parseerror.Denied(parseerror.OperationForbidden, "read-only masterKey isn't allowed to %s a schema.", doing)
	}
	return nil
}

// named returns the class name of the body, checked against that of the path.
func (c *call) named() (string, error) {
	inPath, inBody := c.params[0], ""
	if v := c.body.get("className"); truthy(v) {
		text, ok := c.body.text("className")
		if !ok {
			text = string(v)
		}
		inBody = text
	}
	switch {
	case inPath == "":
		return inBody, nil
	case inBody != "" && inBody != inPath:
		return "", parseerror.New(parseerror.InvalidClassName, "Class name mismatch between %s and %s.", inBody, inPath)
	}
	return inPath, nil
}

// checkUnlocked refuses to make or change classes that the configuration defines for good.
func (a *API) checkUnlocked() error {
	if o := a.o.Config.Schema; o != nil && o.LockSchemas {
		return parseerror.New(parseerror.OperationForbidden, "Cannot perform this operation when schemas options is used.")
	}
	return nil
}

func (a *API) createClass(c *call) (*answer, error) {
	if err := a.checkUnlocked(); err != nil {
		return nil, err
	}
	if err := a.checkSchemaWrite(c, "create"); err != nil {
		return nil, err
	}
	name, err := c.named()
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, parseerror.New(parseerror.MissingClassName, "POST %s needs a class name.", c.path)
	}
	return shown(a.o.Classes.Create(c.ctx, name, c.definition(), c.writeID))
}

func (a *API) updateClass(c *call) (*answer, error) {
	if err := a.checkUnlocked(); err != nil {
		return nil, err
	}
	if err := a.checkSchemaWrite(c, "update"); err != nil {
		return nil, err
	}
	name, err := c.named()
	if err != nil {
		return nil, err
	}
	return shown(a.o.Classes.Update(c.ctx, name, c.definition(), c.writeID))
}

func shown(class *schema.Class, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	return &answer{body: appendClass(nil, class)}, nil
}

func (a *API) dropClass(c *call) (*answer, error) {
	if err := a.checkSchemaWrite(c, "delete"); err != nil {
		return nil, err
	}
	if err := a.o.Classes.Drop(c.ctx, c.params[0], c.writeID); err != nil {
		return nil, err
	}
	return &answer{body: []byte("{}")}, nil
}

func (a *API) purgeClass(c *call) (*answer, error) {
	if err := a.checkSchemaWrite(c, "purge"); err != nil {
		return nil, err
	}
	if err := a.o.Classes.Purge(c.ctx, c.params[0], c.writeID); err != nil {
		return nil, err
	}
	return &answer{body: []byte("{}")}, nil
}
