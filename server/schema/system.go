package schema

import "slices"

// Column is a field by its name; a list of them keeps an order, which the database and answers follow.
type Column struct {
	Name string
	Field
}

func column(name string, t Type) Column { return Column{name, Field{Type: t}} }

func columns(t Type, names ...string) []Column {
	out := make([]Column, len(names))
	for i, n := range names {
		out[i] = column(n, t)
	}
	return out
}

// Names of the system classes that more than one package speaks of.
const (
	User         = "_User"
	Installation = "_Installation"
	Role         = "_Role"
	Session      = "_Session"
	Product      = "_Product"
	Audience     = "_Audience"
	Idempotency  = "_Idempotency"
	Hooks        = "_Hooks"
	GlobalConfig = "_GlobalConfig"
)

// Base returns the columns of every class: objectId, createdAt, updatedAt and ACL.
func Base() []Column {
	return []Column{column("objectId", String), column("createdAt", Date), column("updatedAt", Date), column("ACL", ACL)}
}

// Default returns the columns a class has from its creation beside those of Base, in parse-server's order.
// Classes that aren't the system's have none.
func Default(class string) []Column {
	switch class {
	case User:
		return append(columns(String, "username", "password", "email"), column("emailVerified", Boolean), column("authData", Object))
	case Installation:
		return slices.Concat(columns(String, "installationId", "deviceToken"), columns(Array, "channels"),
			columns(String, "deviceType", "pushType", "GCMSenderId", "timeZone", "localeIdentifier"), columns(Number, "badge"),
			columns(String, "appVersion", "appName", "appIdentifier", "parseVersion"))
	case Role:
		return []Column{column("name", String), {"users", Field{Type: Relation, TargetClass: User}}, {"roles", Field{Type: Relation, TargetClass: Role}}}
	case Session:
		return slices.Concat([]Column{{"user", Field{Type: Pointer, TargetClass: User}}}, columns(String, "installationId", "sessionToken"),
			columns(Date, "expiresAt"), columns(Object, "createdWith"))
	case Product:
		return []Column{column("productIdentifier", String), column("download", File), column("downloadName", String),
			column("icon", File), column("order", Number), column("title", String), column("subtitle", String)}
	case "_PushStatus":
		return slices.Concat(columns(String, "pushTime", "source", "query", "payload", "title"), columns(Number, "expiry", "expiration_interval"),
			columns(String, "status"), columns(Number, "numSent", "numFailed"), columns(String, "pushHash"),
			columns(Object, "errorMessage", "sentPerType", "failedPerType", "sentPerUTCOffset", "failedPerUTCOffset"), columns(Number, "count"))
	case "_JobStatus":
		return slices.Concat(columns(String, "jobName", "source", "status", "message"), columns(Object, "params"), columns(Date, "finishedAt"))
	case "_JobSchedule":
		return slices.Concat(columns(String, "jobName", "description", "params", "startAfter"), columns(Array, "daysOfWeek"),
			columns(String, "timeOfDay"), columns(Number, "lastRun", "repeatMinutes"))
	case Hooks:
		return columns(String, "functionName", "className", "triggerName", "url")
	case GlobalConfig:
		return columns(Object, "params", "masterKeyOnly")
	case "_GraphQLConfig":
		return columns(Object, "config")
	case Audience:
		return slices.Concat(columns(String, "name", "query"), columns(Date, "lastUsed"), columns(Number, "timesUsed"))
	case Idempotency:
		return slices.Concat(columns(String, "reqId"), columns(Date, "expire"))
	}
	return nil
}

// Internal returns the columns of a class that no answer ever shows: the halves of the ACL and, for _User, what
// authentication keeps. Their names start with "_".
func Internal(class string) []Column {
	perms := []Column{{"_rperm", Field{Type: Array, Texts: true}}, {"_wperm", Field{Type: Array, Texts: true}}}
	if class != User {
		return perms
	}
	return slices.Concat(perms, columns(String, "_hashed_password"), columns(Date, "_email_verify_token_expires_at"),
		columns(String, "_email_verify_token"), columns(Date, "_account_lockout_expires_at"), columns(Number, "_failed_login_count"),
		columns(String, "_perishable_token"), columns(Date, "_perishable_token_expires_at", "_password_changed_at"),
		columns(Array, "_password_history"))
}

// Stored returns the names of all columns of the class's table in parse-server's order: its own first, then fields in
// the given order, as a client named them, the rest by name.
func (c *Class) Stored(order []string) []string {
	out := []string{"objectId", "createdAt", "updatedAt"}
	seen := map[string]bool{"objectId": true, "createdAt": true, "updatedAt": true}
	add := func(name string, f Field) {
		if !seen[name] && f.HasColumn() && !(c.Name == User && name == "password") {
			seen[name] = true
			out = append(out, name)
		}
	}
	for _, d := range Default(c.Name) {
		add(d.Name, d.Field)
	}
	for _, name := range slices.Concat(order, c.FieldNames()) {
		if f, ok := c.Fields[name]; ok {
			add(name, f)
		}
	}
	for _, d := range Internal(c.Name) {
		add(d.Name, d.Field)
	}
	return out
}

// FieldNames returns the names of the fields in alphabetical order.
func (c *Class) FieldNames() []string {
	out := make([]string, 0, len(c.Fields))
	for n := range c.Fields {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// HasColumn reports whether the field has a column of its own: a Relation lives in a join table, the ACL in _rperm and
// _wperm.
func (f Field) HasColumn() bool { return f.Type != Relation && f.Type != ACL }

// New returns a class with the given fields beside those that its name brings.
func New(name string, fields map[string]Field) *Class {
	c := &Class{Name: name, Fields: make(map[string]Field, len(fields)+8)}
	for n, f := range fields {
		c.Fields[n] = f
	}
	for _, d := range slices.Concat(Base(), Default(name)) {
		if f, ok := c.Fields[d.Name]; !ok || f.Type != d.Type {
			c.Fields[d.Name] = d.Field
		}
	}
	return c
}

// Column returns the field behind a column, internal columns included, and whether the class has it.
func (c *Class) Column(name string) (Field, bool) {
	if c == nil || !slices.Contains(c.Columns, name) {
		return Field{}, false
	}
	if f, ok := c.Fields[name]; ok {
		return f, true
	}
	for _, d := range Internal(c.Name) {
		if d.Name == name {
			return d.Field, true
		}
	}
	return Field{}, false
}

var systemClasses = []string{User, Installation, Role, Session, Product, "_PushStatus", "_JobStatus", "_JobSchedule", Audience, Idempotency}

var volatileClasses = []string{"_JobStatus", "_PushStatus", Hooks, GlobalConfig, "_GraphQLConfig", "_JobSchedule", Audience, Idempotency}

// IsSystem reports whether the class is one of parse-server's own that clients may name.
func IsSystem(class string) bool { return slices.Contains(systemClasses, class) }

// IsVolatile reports whether the class has a table but no row in _SCHEMA: its fields are fixed.
func IsVolatile(class string) bool { return slices.Contains(volatileClasses, class) }

// Volatile returns the names of the classes IsVolatile reports.
func Volatile() []string { return slices.Clone(volatileClasses) }

// Required returns the fields that a new object of the class must have, whatever its schema says.
func Required(class string) []string {
	switch class {
	case Product:
		return []string{"productIdentifier", "icon", "order", "title", "subtitle"}
	case Role:
		return []string{"name", "ACL"}
	}
	return nil
}
