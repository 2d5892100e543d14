package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// maxToken bounds the session tokens that are looked up, in bytes; the worker makes tokens of 34.
const maxToken = 256

// Caller is who sent a request, as the HTTP door found it out; Resolve turns it into an Auth inside a snapshot.
type Caller struct {
	// Master: the master key was presented. ReadOnly goes with Master: it was the read-only master key.
	Master, ReadOnly bool
	// Maintenance: the maintenance key was presented.
	Maintenance    bool
	SessionToken   string
	InstallationID string
	IP             string
	// RequestID makes a write happen once: a second one with the same id is refused. "" means none.
	RequestID string
	// FirstAttempt: whoever gave the request its write id has sent it nowhere before, so that nobody needs to look whether
	// the write is done already.
	FirstAttempt bool
	// Origin is what only the app's own code may know of the request; nil: nothing.
	Origin *Origin
}

// Origin is what the app's own code may know of a request.
type Origin struct {
	// Headers returns the header fields, in lower case; nil: there are none.
	Headers func() map[string]string
	// Context is what the client sent as context: a JSON object, or empty.
	Context []byte
}

// Privileged reports whether the caller is above permissions: the master key (read-only or not) or the maintenance key.
func (c Caller) Privileged() bool { return c.Master || c.Maintenance }

// Auth is a Caller with the user, the session and the roles that the database knows of them.
type Auth struct {
	Caller
	// User is the user's row, secrets included; nil when nobody is logged in.
	User              storage.Object
	UserID, SessionID string
	// Roles are the names of the roles the user has, by inheritance too, as "role:X", sorted.
	Roles []string
	// RoleIDs are the ids of those roles, sorted.
	RoleIDs []string
	// Expires is when the session ends; zero: never.
	Expires time.Time
}

// Resolve finds the session, the user and the roles of a caller. A privileged caller, and one without a token, has none.
// A token that names no session is error 209.
func Resolve(ctx context.Context, s storage.Snapshot, c Caller) (*Auth, error) {
	return ResolveAt(ctx, s, c, time.Now())
}

// ResolveAt is Resolve at the given time.
func ResolveAt(ctx context.Context, s storage.Snapshot, c Caller, now time.Time) (*Auth, error) {
	a := &Auth{Caller: c}
	if c.Privileged() || c.SessionToken == "" {
		return a, nil
	}
	sch, err := s.Schema(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot read the schema: %w", err)
	}
	session, err := SessionByToken(ctx, s, sch, c.SessionToken, now)
	if err != nil {
		return nil, err
	}
	a.SessionID, _ = session["objectId"].(string)
	if d, ok := session["expiresAt"].(query.Date); ok {
		a.Expires = d.Time
	}
	p, _ := session["user"].(query.Pointer)
	if err := a.load(ctx, s, sch, p.ObjectID); err != nil {
		return nil, err
	}
	return a, nil
}

// As returns what the user of the given id may do, without a session: whoever has just proved to be that user.
func As(ctx context.Context, s storage.Snapshot, c Caller, userID string) (*Auth, error) {
	sch, err := s.Schema(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot read the schema: %w", err)
	}
	a := &Auth{Caller: c}
	if err := a.load(ctx, s, sch, userID); err != nil {
		return nil, err
	}
	return a, nil
}

// load reads the user and the roles.
func (a *Auth) load(ctx context.Context, s storage.Snapshot, sch *schema.Schema, userID string) error {
	users := sch.Class(schema.User)
	// An id that reads like a role would be taken for that role in every ACL.
	if users == nil || userID == "" || userID == "*" || strings.HasPrefix(userID, "role:") {
		return invalidToken()
	}
	user, err := s.Get(ctx, users, userID)
	if err != nil {
		return fmt.Errorf("cannot read the user of a session: %w", err)
	}
	if user == nil {
		return invalidToken()
	}
	a.User, a.UserID = user, userID
	a.Roles, a.RoleIDs, err = rolesOf(ctx, s, sch, userID)
	return err
}

// SessionByToken returns the row of the session with the token. No such session, or one that has ended, is error 209.
func SessionByToken(ctx context.Context, s storage.Snapshot, sch *schema.Schema, token string, now time.Time) (storage.Object, error) {
	class := sch.Class(schema.Session)
	if class == nil || token == "" || len(token) > maxToken {
		return nil, invalidToken()
	}
	var found []storage.Object
	err := s.Find(ctx, &storage.Find{
		Schema: sch, Class: class, Limit: 2,
		Where: &query.Compare{Path: "sessionToken", Op: query.Eq, Value: token},
	}, func(r storage.Row) error {
		o, err := r.Object()
		found = append(found, o)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot look up a session: %w", err)
	}
	if len(found) != 1 {
		return nil, invalidToken()
	}
	if p, ok := found[0]["user"].(query.Pointer); !ok || p.ObjectID == "" {
		return nil, invalidToken()
	}
	if d, ok := found[0]["expiresAt"].(query.Date); ok && d.Time.Before(now) {
		return nil, parseerror.New(parseerror.InvalidSessionToken, "Session token is expired.")
	}
	return found[0], nil
}

func invalidToken() error {
	return parseerror.New(parseerror.InvalidSessionToken, "Invalid session token")
}

// Readers returns what the caller is in an ACL: "*", the user id and the roles. Nil for a privileged caller, whom no ACL
// binds.
func (a *Auth) Readers() []string {
	if a.Privileged() {
		return nil
	}
	out := make([]string, 0, 2+len(a.Roles))
	out = append(out, "*")
	if a.UserID != "" {
		out = append(out, a.UserID)
	}
	return append(out, a.Roles...)
}

// Is reports whether the caller is what an entry of an ACL names. A privileged caller is asked no such thing: it is only
// "*".
func (a *Auth) Is(entry string) bool {
	if entry == "*" {
		return true
	}
	if a.UserID != "" && entry == a.UserID {
		return true
	}
	for _, r := range a.Roles {
		if r == entry {
			return true
		}
	}
	return false
}

// Admits reports whether a half of an ACL (the value of _rperm or _wperm) lets the caller in. A half that is absent
// admits everybody.
func (a *Auth) Admits(perm any) bool {
	if perm == nil || a.Privileged() {
		return true
	}
	list, ok := perm.([]any)
	if !ok {
		return false
	}
	for _, e := range list {
		if entry, ok := e.(string); ok && a.Is(entry) {
			return true
		}
	}
	return false
}

// LockedOut reports whether a user's ACL admits nobody at all: such a user can't log in.
func LockedOut(user storage.Object) bool {
	read, isRead := user["_rperm"].([]any)
	write, isWrite := user["_wperm"].([]any)
	return (isRead || isWrite) && len(read) == 0 && len(write) == 0
}

// Name is a name for the rights of a caller who isn't privileged, which only equal rights have: those of the same user
// with the same roles. "" is for a caller who isn't logged in. It tells nothing of either.
func (a *Auth) Name() string {
	if a.UserID == "" {
		return ""
	}
	h := sha256.New()
	h.Write([]byte(a.UserID))
	for _, role := range a.Roles {
		h.Write([]byte{0}) // no database lets it stand in a text
		h.Write([]byte(role))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:24])
}

// Dependencies collects what an answer depends on.
type Dependencies interface {
	Add(class, objectID string)
	AddClass(class string)
	Expires(t time.Time)
}

// Reads adds what the caller's rights depend on: the session and its end, the user, and the roles.
func (a *Auth) Reads(d Dependencies) {
	if a.UserID == "" {
		return
	}
	d.Add(schema.User, a.UserID)
	if a.SessionID != "" {
		d.Add(schema.Session, a.SessionID)
		if !a.Expires.IsZero() {
			d.Expires(a.Expires)
		}
	}
	d.AddClass(schema.Role)
	d.AddClass(schema.JoinTable(schema.Role, "users"))
	d.AddClass(schema.JoinTable(schema.Role, "roles"))
}
