package users

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/read"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/trigger"
	"github.com/parsescale/parsescale/server/write"
)

// Comparer compares a password with a hash; package password has it. An empty hash must take as long as any other, and
// never match.
type Comparer interface {
	Compare(ctx context.Context, hash, password string) (bool, error)
}

// Users is what clients do with accounts beyond reading and writing them. It is safe for concurrent use.
type Users struct {
	store     storage.Store
	reads     *read.Path
	writes    *write.Path
	passwords Comparer
	o         Options
	renewals  *renewals
}

// New returns Users over the paths that serve the same store.
func New(store storage.Store, reads *read.Path, writes *write.Path, passwords Comparer, o Options) *Users {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	u := &Users{store: store, reads: reads, writes: writes, passwords: passwords, o: o}
	if o.ExtendSessionOnUse {
		u.renewals = newRenewals(u.renew)
	}
	return u
}

// Close ends what runs by itself.
func (u *Users) Close() {
	if u.renewals != nil {
		u.renewals.close()
	}
}

// SignUp makes a user and opens a session, or logs in the user that the body's authData names. id is the write id.
func (u *Users) SignUp(ctx context.Context, c auth.Caller, body []byte, id string) (*write.Result, error) {
	return u.writes.Create(ctx, c, schema.User, body, id)
}

// LogIn are the fields of a log-in, as they were sent: strings, or else the log-in fails.
type LogIn struct {
	Username, Email, Password any
	// AuthData is what the client says at auth providers beside the password, of any type.
	AuthData any
	// IgnoreEmailVerification lets a privileged caller through whose user hasn't verified the address.
	IgnoreEmailVerification any
}

// LogIn checks a password and opens a session. The answer is the user with the sessionToken.
func (u *Users) LogIn(ctx context.Context, c auth.Caller, l LogIn, id string) (*write.Result, error) {
	// A token that came with the request is the one that is to be replaced, and may be no good any more.
	c.SessionToken = ""
	user, err := u.prove(ctx, c, l)
	if err != nil {
		return nil, err
	}
	userID, _ := user["objectId"].(string)
	claim := u.writes.ClaimLogIn(ctx, c, userID, l.AuthData)
	set, err := u.triggers(ctx, schema.User)
	if err != nil {
		return nil, err
	}
	if res, err := u.writes.Repeated(ctx, c, schema.User, trigger.Of(trigger.BeforeLogin, trigger.AfterLogin), id); res != nil || err != nil {
		return res, err
	}
	if !claim.Refused() && !c.ReadOnly && !u.tooOld(user) {
		if err := u.beforeLogIn(ctx, set, c, userID); err != nil {
			return nil, err
		}
	}
	res, err := u.writes.Decided(ctx, claim, func() (*write.Result, error) {
		return u.writes.Do(ctx, c, id, func(tx storage.Tx, a *auth.Auth) (*write.Result, error) {
			return u.logIn(ctx, tx, a, user, claim)
		})
	})
	if err != nil || set&(trigger.Finds|trigger.Of(trigger.AfterLogin)) == 0 {
		return res, err
	}
	return res, u.afterLogIn(ctx, set, c, userID, res)
}

// logIn opens the session of a user who has proved a password, if the claim at auth providers is right.
func (u *Users) logIn(ctx context.Context, tx storage.Tx, a *auth.Auth, user storage.Object, claim *write.Claim) (*write.Result, error) {
	if a.ReadOnly {
		return nil, parseerror.Denied(parseerror.OperationForbidden, "Cannot perform a write operation when using readOnlyMasterKey")
	}
	userID, _ := user["objectId"].(string)
	row, err := lock(ctx, tx, userID)
	if err != nil {
		return nil, err
	}
	if user, err = unchanged(row, user); err != nil {
		return nil, err
	}
	if res, err := u.writes.SettleLogIn(ctx, tx, a, claim); res != nil || err != nil {
		return res, err
	}
	if err := u.checkAge(ctx, tx, user); err != nil {
		return nil, err
	}
	token, err := u.writes.OpenSession(ctx, tx, write.Session{
		UserID: userID, InstallationID: a.InstallationID, Action: "login", Provider: "password",
	})
	if err != nil {
		return nil, err
	}
	return u.self(ctx, tx, a, userID, func(dst []byte) []byte {
		return claim.AppendResponse(sessionToken(token)(dst))
	})
}

// LogInAs opens a session for a user, for a caller with the master key. The answer is the user with the sessionToken.
func (u *Users) LogInAs(ctx context.Context, c auth.Caller, userID, id string) (*write.Result, error) {
	if !c.Master {
		return nil, parseerror.Denied(parseerror.OperationForbidden, "master key is required")
	}
	if c.ReadOnly {
		return nil, parseerror.Denied(parseerror.OperationForbidden, "read-only masterKey isn't allowed to login as another user.")
	}
	if userID == "" {
		return nil, parseerror.New(parseerror.InvalidValue, "userId must not be empty, null, or undefined")
	}
	return u.writes.Do(ctx, c, id, func(tx storage.Tx, a *auth.Auth) (*write.Result, error) {
		user, err := lock(ctx, tx, userID)
		if err != nil {
			return nil, err
		}
		if user == nil {
			return nil, parseerror.New(parseerror.ObjectNotFound, "user not found")
		}
		token, err := u.writes.OpenSession(ctx, tx, write.Session{
			UserID: userID, InstallationID: c.InstallationID, Action: "login", Provider: "masterkey",
		})
		if err != nil {
			return nil, err
		}
		return u.self(ctx, tx, a, userID, sessionToken(token))
	})
}

// VerifyPassword checks a password and answers with the user, without opening a session.
func (u *Users) VerifyPassword(ctx context.Context, c auth.Caller, l LogIn) (*write.Result, error) {
	c.SessionToken = ""
	l.AuthData = nil
	user, err := u.prove(ctx, c, l)
	if err != nil {
		return nil, err
	}
	var res *write.Result
	err = u.store.Read(ctx, func(s storage.Snapshot) error {
		userID, _ := user["objectId"].(string)
		row, err := get(ctx, s, userID)
		if err == nil {
			_, err = unchanged(row, user)
		}
		if err != nil {
			return err
		}
		res, err = u.self(ctx, s, &auth.Auth{Caller: c}, userID, nil)
		return err
	})
	return res, err
}

// LogOut ends the caller's session. Without a token there is nothing to do.
func (u *Users) LogOut(ctx context.Context, c auth.Caller, id string) (*write.Result, error) {
	done := &write.Result{Status: 200, Body: []byte("{}")}
	if c.SessionToken == "" {
		return done, nil
	}
	set, err := u.triggers(ctx, schema.Session)
	if err != nil {
		return nil, err
	}
	token := c.SessionToken
	var told *trigger.Request
	res, err := u.writes.Do(ctx, c, id, func(tx storage.Tx, a *auth.Auth) (*write.Result, error) {
		sch, err := tx.Schema(ctx)
		if err != nil {
			return nil, err
		}
		session, err := auth.SessionByToken(ctx, tx, sch, token, u.o.Now())
		if e := parseerror.From(err); e != nil && e.Code == parseerror.InvalidSessionToken && c.Privileged() {
			return done, nil
		}
		if err != nil {
			return nil, err
		}
		if c.ReadOnly {
			return nil, parseerror.Denied(parseerror.OperationForbidden, "read-only masterKey isn't allowed to perform the delete operation.")
		}
		if set.Has(trigger.AfterLogout) {
			if told, err = u.loggedOut(ctx, tx, a, session); err != nil {
				return nil, err
			}
		}
		return done, u.writes.CloseSession(ctx, tx, session)
	})
	if err != nil || told == nil || res.Repeated {
		return res, err
	}
	if storage.Inside(ctx) {
		storage.AfterCommit(ctx, func() { _ = u.o.Code.Run(storage.Outside(ctx), told) }) // nobody hears of its error
		return res, nil
	}
	return res, u.o.Code.Run(ctx, told)
}

// tooOld reports whether a user's password no longer logs in.
func (u *Users) tooOld(user storage.Object) bool {
	since, known := user["_password_changed_at"].(query.Date)
	return u.o.MaxPasswordAge > 0 && known && since.Add(u.o.MaxPasswordAge).Before(u.o.Now())
}

// unchanged takes the row of a user now, and returns it if the password is the one that was proved before the transaction.
// Where a session follows, the row is to be locked: a change of the password that ends all sessions must end that one too.
func unchanged(now, before storage.Object) (storage.Object, error) {
	if now == nil || now["_hashed_password"] != before["_hashed_password"] {
		return nil, wrongPassword()
	}
	return now, nil
}

// checkAge refuses a password that is too old. One of unknown age is new from now on.
func (u *Users) checkAge(ctx context.Context, tx storage.Tx, user storage.Object) error {
	if u.o.MaxPasswordAge == 0 {
		return nil
	}
	if _, known := user["_password_changed_at"].(query.Date); !known {
		return u.writes.SetUser(ctx, tx, user, storage.Object{"_password_changed_at": dateOf(u.o.Now())})
	}
	if u.tooOld(user) {
		return parseerror.New(parseerror.ObjectNotFound, "Your password has expired. Please reset your password.")
	}
	return nil
}

// self answers with a user as the user sees it; to a privileged caller, as that one does. extra, if not nil, appends members.
func (u *Users) self(ctx context.Context, s storage.Snapshot, a *auth.Auth, userID string, extra func([]byte) []byte) (*write.Result, error) {
	if !a.Privileged() {
		var err error
		if a, err = auth.As(ctx, s, a.Caller, userID); err != nil {
			return nil, err
		}
	}
	body, err := u.reads.Self(ctx, s, overt(a), userID, extra)
	if err != nil {
		return nil, err
	}
	return &write.Result{Status: 200, Body: body}, nil
}

// overt returns a caller who sees no internal columns: the answers about oneself show them not even to the maintenance
// key, as in parse-server.
func overt(a *auth.Auth) *auth.Auth {
	if !a.Maintenance {
		return a
	}
	c := a.Caller
	c.Master, c.Maintenance = true, false
	return &auth.Auth{Caller: c}
}

// sessionToken appends the member sessionToken to an answer.
func sessionToken(token string) func([]byte) []byte {
	return func(dst []byte) []byte {
		return query.AppendString(append(dst, `,"sessionToken":`...), token)
	}
}
