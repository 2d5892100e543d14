package write

import (
	"regexp"
	"strings"
	"time"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/storage"
)

// cloud is the installation id of cloud code, which never opens sessions. A privileged caller that names no
// installation counts as that, as in parse-server.
const cloud = "cloud"

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

func usernameTaken() error {
	return parseerror.New(parseerror.UsernameTaken, "Account already exists for this username.")
}

func emailTaken() error {
	return parseerror.New(parseerror.EmailTaken, "Account already exists for this email address.")
}

// beginSignUp checks the body of a new user. When authData names a user who is there already, it is a log-in instead:
// then the answer is returned.
func (w *writing) beginSignUp() (*Result, error) {
	if err := w.checkIdentified(); err != nil {
		return nil, err
	}
	if err := w.settleBody(); err != nil {
		return nil, err
	}
	if err := w.checkEmailVerified(); err != nil {
		return nil, err
	}
	if w.asked.overtaken(w.claim != nil && w.claim.subject != "") {
		return nil, errAskedOtherwise
	}
	switch {
	case w.claim == nil:
		return nil, nil
	case w.claim.subject != "":
		return w.logInByAuthData()
	case w.claim.then != nil:
		return nil, w.claim.then // there is nobody yet to keep what was sent for
	}
	return nil, nil
}

// checkIdentified checks that a new user says who it is.
func (w *writing) checkIdentified() error {
	if identifies(w.authData()) {
		return nil
	}
	if s, _ := w.body.Values["username"].(string); s == "" {
		return parseerror.New(parseerror.UsernameMissing, "bad or missing username")
	}
	if s, _ := w.body.Values["password"].(string); s == "" {
		return parseerror.New(parseerror.PasswordMissing, "password is required")
	}
	return nil
}

// checkSignUp checks the body of a new user, before the app's code is asked about it.
func (w *writing) checkSignUp() error {
	if err := w.checkIdentified(); err != nil {
		return err
	}
	return w.checkEmailVerified()
}

// checkEmailVerified checks that no client says that it has proved an address. The app's code may say so.
func (w *writing) checkEmailVerified() error {
	if w.changed() {
		return nil
	}
	if _, named := w.body.Values["emailVerified"]; named && !w.a.Privileged() {
		return parseerror.Denied(parseerror.OperationForbidden, "Clients aren't allowed to manually update email verification.")
	}
	return nil
}

// checkUser checks the body of a change to a user.
func (w *writing) checkUser() error {
	if !w.a.Privileged() && w.a.UserID == "" {
		return parseerror.Denied(parseerror.SessionMissing, "Cannot modify user %s.", w.id)
	}
	if v, named := w.body.Values["password"]; named && (v == nil || v == "" || isDelete(v)) {
		return parseerror.New(parseerror.PasswordMissing, "password is required")
	}
	return w.checkEmailVerified()
}

// completeSignUp gives a new user what isn't in the body as such: the hash, the name, the ACL.
func (w *writing) completeSignUp() error {
	if err := w.putPassword(); err != nil {
		return err
	}
	if linked := w.claim.linked(nil); linked != nil {
		w.put("authData", linked)
	}
	if name, _ := w.body.Values["username"].(string); name == "" {
		name, err := randomString(w.o.Random, 25)
		if err != nil {
			return err
		}
		w.put("username", name)
		w.answer.set("username", name)
	} else if err := w.checkUsername(); err != nil {
		return err
	}
	if err := w.checkEmail(); err != nil {
		return err
	}
	switch acl, byClass := w.defaultACL(); {
	case w.acl.sent:
		w.putACL(w.acl.raw, w.id)
	case byClass:
		w.putACL(acl, w.id)
		acl[w.id] = map[string]any{"read": true, "write": true}
		w.answer.set("ACL", acl)
	case w.o.EnforcePrivateUsers:
		w.putACL(nil, w.id)
	default:
		w.putACL(map[string]any{"*": map[string]any{"read": true}}, w.id)
	}
	return nil
}

// openSignUpSession logs a new user in, unless somebody is logged in and has linked an account, or cloud code did it.
func (w *writing) openSignUpSession() error {
	_, linking := w.body.Values["authData"]
	switch {
	case linking && w.a.UserID != "":
	case w.unverified():
		w.refused = w.o.EmailVerification.PreventSignup
	default:
		if err := w.tellToken(Session{UserID: w.id, Action: "signup", Provider: "password"}); err != nil {
			return err
		}
	}
	w.answerAuthData()
	return nil
}

// openSession opens a session for the caller's installation; "" is returned when the caller gets none.
func (w *writing) openSession(s Session) (string, error) {
	s.InstallationID = w.a.InstallationID
	if s.InstallationID == cloud || s.InstallationID == "" && w.a.Privileged() {
		return "", nil
	}
	return w.OpenSession(w.ctx, w.tx, s)
}

// updateUser does to a user what isn't in the body as such.
func (w *writing) updateUser() error {
	if err := w.putPassword(); err != nil {
		return err
	}
	_, named := w.body.Values["email"]
	if w.password != nil || named {
		// A reset that was asked for before the change is no longer good.
		for _, c := range []string{"_perishable_token", "_perishable_token_expires_at"} {
			if w.old[c] != nil {
				w.put(c, nil)
			}
		}
	}
	if err := w.checkUsername(); err != nil {
		return err
	}
	if err := w.checkEmail(); err != nil {
		return err
	}
	if w.claim != nil {
		old, _ := w.old["authData"].(map[string]any)
		w.put("authData", columnOf(w.claim.linked(old)))
	}
	return nil
}

// followPassword ends the sessions of a user whose password changed, and opens a new one for the caller.
func (w *writing) followPassword() error {
	if w.password != nil {
		if w.o.RevokeSessionOnPasswordReset {
			if err := w.closeSessions(w.id); err != nil {
				return err
			}
		}
		if !w.a.Privileged() {
			if err := w.tellToken(Session{UserID: w.id}); err != nil {
				return err
			}
		}
	}
	if w.claim != nil && w.a.Privileged() {
		if err := w.tellToken(Session{UserID: w.id}); err != nil {
			return err
		}
	}
	w.answerAuthData()
	return nil
}

// tellToken opens a session and adds its token to the answer.
func (w *writing) tellToken(s Session) error {
	token, err := w.openSession(w.session(s))
	if err == nil && token != "" {
		w.answer.set("sessionToken", token)
	}
	return err
}

// checkUsername checks that a name that is being set is free, whatever its case.
func (w *writing) checkUsername() error {
	_, named := w.body.Values["username"]
	name, _ := w.row["username"].(string)
	if !named || name == "" {
		return nil
	}
	if w.o.ConvertUsernameToLowercase {
		name = strings.ToLower(name)
		w.put("username", name)
	}
	taken, err := w.taken("username", name)
	if err == nil && taken {
		err = usernameTaken()
	}
	return err
}

// emailForm is parse-server's idea of an address: something before and after an @ on one line.
var emailForm = regexp.MustCompile(`^.+@.+$`)

// checkEmail checks that an address that is being set is one, and is free, whatever its case.
func (w *writing) checkEmail() error {
	_, named := w.body.Values["email"]
	email, _ := w.row["email"].(string)
	if !named || email == "" {
		return nil
	}
	if !emailForm.MatchString(email) {
		return parseerror.New(parseerror.InvalidEmailAddress, "Email address format is invalid.")
	}
	if w.o.ConvertEmailToLowercase {
		email = strings.ToLower(email)
		w.put("email", email)
	}
	taken, err := w.taken("email", email)
	if err != nil {
		return err
	}
	if taken {
		return emailTaken()
	}
	return w.askToVerify()
}

// taken reports whether another user has the value in the field, whatever its case.
func (w *writing) taken(field, value string) (bool, error) {
	taken := false
	err := w.tx.Find(w.ctx, &storage.Find{
		Schema: w.sch, Class: w.class, Columns: []string{"objectId"}, Limit: 2, CaseInsensitive: true,
		Where: &query.Compare{Path: query.Path(field), Op: query.Eq, Value: value},
	}, func(r storage.Row) error {
		taken = taken || r.ObjectID() != w.id
		return nil
	})
	return taken, err
}
