package users_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/users"
	"github.com/parsescale/parsescale/server/users/apptest"
)

// outbox is where links go instead of into mail.
type outbox struct {
	mu    sync.Mutex
	users []storage.Object
}

func (o *outbox) send(user storage.Object) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.users = append(o.users, user)
}

// take returns the one value that was sent in a column since the last take.
func (o *outbox) take(t *testing.T, column string) string {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.users) != 1 {
		t.Fatalf("%d mails were sent, want 1", len(o.users))
	}
	s, _ := o.users[0][column].(string)
	o.users = nil
	if len(s) != 25 {
		t.Fatalf("%s is %q", column, s)
	}
	return s
}

func (o *outbox) empty(t *testing.T) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.users) != 0 {
		t.Fatalf("mail was sent: %v", o.users)
	}
}

// posting is an app whose mail goes to the outbox.
func posting(t *testing.T, configure func(*apptest.Options)) (*apptest.App, *outbox, *apptest.Clock) {
	box, clock := &outbox{}, apptest.NewClock()
	return apptest.New(t, func(o *apptest.Options) {
		o.Write.Now = clock.Now
		o.Write.EmailVerification.Verify, o.Write.EmailVerification.Send = true, box.send
		o.Users.Reset.Send = box.send
		o.Users.MailConfigured = nil
		if configure != nil {
			configure(o)
		}
	}), box, clock
}

const updated = `{"updatedAt":"<ts>"}`

func verified(who, is string) apptest.Step {
	return apptest.Step{Who: "master", Do: "GET /users/<" + who + ">?keys=emailVerified", Want: `{<any>"emailVerified":` + is + `<any>}`}
}

func signUpWith(name, email string) apptest.Step {
	s := signUp(name)
	s.Body = `{"username":"` + name + `","password":"pw","email":"` + email + `"}`
	return s
}

func TestEmailVerification(t *testing.T) {
	a, box, _ := posting(t, nil)
	a.Play(t, []apptest.Step{signUpWith("ann", "ann@x.io"), verified("ann", "false")})
	first := box.take(t, "_email_verify_token")
	for _, token := range []string{"", "no", first + "x"} {
		if err := a.Users.VerifyEmail(t.Context(), token); !errors.Is(err, users.ErrInvalidLink) {
			t.Errorf("%q: %v", token, err)
		}
	}
	if err := a.Users.VerifyEmail(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	a.Play(t, []apptest.Step{
		verified("ann", "true"),
		{Who: "maintenance", Do: "GET /users/<ann>", Want: `{"objectId":"<ann>","createdAt":"<ts>","updatedAt":"<ts>","username":"ann","email":"ann@x.io","emailVerified":true,"ACL":<any>}`},
	})
	if err := a.Users.VerifyEmail(t.Context(), first); !errors.Is(err, users.ErrInvalidLink) {
		t.Errorf("a token works twice: %v", err)
	}
	box.empty(t)
	// Another address must be verified again, whoever sets it; other changes leave it as it is.
	a.Play(t, []apptest.Step{{Who: "<tokann>", Do: "PUT /users/<ann>", Body: `{"phone":"1"}`, Want: updated}, verified("ann", "true")})
	box.empty(t)
	a.Play(t, []apptest.Step{{Who: "<tokann>", Do: "PUT /users/<ann>", Body: `{"email":"ann2@x.io"}`, Want: updated}, verified("ann", "false")})
	second := box.take(t, "_email_verify_token")
	a.Play(t, []apptest.Step{
		{Who: "master", Do: "PUT /users/<ann>", Body: `{"emailVerified":true}`, Want: updated}, verified("ann", "true"),
		{Who: "master", Do: "PUT /users/<ann>", Body: `{"email":"ann3@x.io","emailVerified":true}`, Want: updated}, verified("ann", "false"),
		{Who: "<tokann>", Do: "PUT /users/<ann>", Body: `{"emailVerified":true}`, Status: 400, Want: `{"code":119,"error":"Permission denied"}`},
	})
	box.take(t, "_email_verify_token")
	if err := a.Users.VerifyEmail(t.Context(), second); !errors.Is(err, users.ErrInvalidLink) {
		t.Errorf("the token of a former address works: %v", err)
	}
	// What fails sends nothing, nor does a user without an address.
	a.Play(t, []apptest.Step{
		{Who: "<tokann>", Do: "PUT /users/<ann>", Body: `{"email":"bad"}`, Status: 400, Want: `{"code":125,"error":"Email address format is invalid."}`},
		{Do: "POST /users", Body: `{"username":"ann","password":"pw","email":"other@x.io"}`, Status: 400, Want: `{"code":202,"error":"Account already exists for this username."}`},
		signUp("bob"),
	})
	box.empty(t)
}

func TestMailIsSentOncePerWrite(t *testing.T) {
	a, box, _ := posting(t, nil)
	for range 2 {
		if got := a.DoID("public", "POST /users", `{"username":"ann","password":"pw","email":"ann@x.io"}`, "write-1"); got.Status != 201 {
			t.Fatal(got)
		}
	}
	box.take(t, "_email_verify_token")
}

func TestUnverifiedUsersMayNotLogIn(t *testing.T) {
	const unverified = `{"code":205,"error":"User email is not verified."}`
	for _, refuse := range []bool{false, true} {
		a, box, _ := posting(t, func(o *apptest.Options) {
			o.Write.EmailVerification.PreventLogin, o.Write.EmailVerification.PreventSignup = true, refuse
		})
		step := signUpWith("ann", "ann@x.io")
		step.Want = `{"objectId":"<ann>","createdAt":"<ts>"}`
		if refuse {
			step.Status, step.Want = 400, unverified
		}
		a.Play(t, []apptest.Step{step})
		token := box.take(t, "_email_verify_token")
		me := `{"objectId":"<id>",<any>}`
		a.Play(t, []apptest.Step{
			logInAs("ann", "pw", 400, unverified),
			logInAs("ann", "no", 404, wrongLogIn),
			{Do: "POST /login", Body: `{"username":"ann","password":"pw","ignoreEmailVerification":true}`, Status: 400, Want: unverified},
			{Who: "master", Do: "POST /login", Body: `{"username":"ann","password":"pw"}`, Status: 400, Want: unverified},
			{Who: "master", Do: "POST /verifyPassword", Body: `{"username":"ann","password":"pw","ignoreEmailVerification":true}`, Want: me},
			{Do: "POST /verifyPassword", Body: `{"username":"ann","password":"pw","ignoreEmailVerification":true}`, Status: 400, Want: unverified},
		})
		if err := a.Users.VerifyEmail(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		a.Play(t, []apptest.Step{logInAs("ann", "pw", 200, me)})
	}
	// The refusal of a repeated write is the same, and the user is made once.
	a, box, _ := posting(t, func(o *apptest.Options) {
		o.Write.EmailVerification.PreventLogin, o.Write.EmailVerification.PreventSignup = true, true
	})
	for range 2 {
		if got := a.DoID("public", "POST /users", `{"username":"ann","password":"pw","email":"ann@x.io"}`, "write-1"); got.Body != unverified {
			t.Error(got)
		}
	}
	box.take(t, "_email_verify_token")
}

func TestVerifyTokensExpire(t *testing.T) {
	a, box, clock := posting(t, func(o *apptest.Options) { o.Write.EmailVerification.TokenValidity = time.Hour })
	a.Play(t, []apptest.Step{signUpWith("ann", "ann@x.io")})
	token := box.take(t, "_email_verify_token")
	clock.Advance(time.Hour + time.Second)
	if err := a.Users.VerifyEmail(t.Context(), token); !errors.Is(err, users.ErrInvalidLink) {
		t.Errorf("an expired token: %v", err)
	}
	if err := a.Users.ResendVerification(t.Context(), "", token); err != nil {
		t.Fatal(err)
	}
	second := box.take(t, "_email_verify_token")
	if second == token {
		t.Error("the expired token is used again")
	}
	if err := a.Users.VerifyEmail(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	a.Play(t, []apptest.Step{verified("ann", "true")})
	for _, who := range [][2]string{{"ann", ""}, {"", second}, {"eve", ""}, {"", ""}} {
		if err := a.Users.ResendVerification(t.Context(), who[0], who[1]); !errors.Is(err, users.ErrInvalidLink) {
			t.Errorf("%q: %v", who, err)
		}
	}
	box.empty(t)
}

func TestVerificationEmailRequest(t *testing.T) {
	request := func(email string, status int, want string) apptest.Step {
		return apptest.Step{Do: "POST /verificationEmailRequest", Body: `{"email":` + email + `}`, Status: status, Want: want}
	}
	for _, tell := range []bool{false, true} {
		a, box, _ := posting(t, func(o *apptest.Options) {
			o.Users.VerifySuccessOnUnknown, o.Users.ReuseVerifyToken, o.Write.EmailVerification.TokenValidity = !tell, true, time.Hour
		})
		a.Play(t, []apptest.Step{signUpWith("ann", "ann@x.io")})
		first := box.take(t, "_email_verify_token")
		a.Play(t, []apptest.Step{request(`"ann@x.io"`, 200, `{}`)})
		if again := box.take(t, "_email_verify_token"); again != first {
			t.Error("the token isn't used again")
		}
		unknown, done := request(`"eve@x.io"`, 200, `{}`), request(`"ann@x.io"`, 200, `{}`)
		if tell {
			unknown = request(`"eve@x.io"`, 400, `{"code":205,"error":"No user found with email eve@x.io"}`)
			done = request(`"ann@x.io"`, 400, `{"code":-1,"error":"Email ann@x.io is already verified."}`)
		}
		a.Play(t, []apptest.Step{
			unknown, request(`""`, 400, `{"code":204,"error":"you must provide an email"}`),
			request(`{"$ne":1}`, 400, `{"code":125,"error":"you must provide a valid email string"}`),
			{Who: "readonly", Do: "POST /verificationEmailRequest", Body: `{"email":"ann@x.io"}`, Status: 400, Want: `{"code":119,"error":"Permission denied"}`},
			{Who: "r:no", Do: "POST /verificationEmailRequest", Body: `{"email":"ann@x.io"}`, Status: 400, Want: `{"code":209,"error":"Invalid session token"}`},
			{Who: "master", Do: "PUT /users/<ann>", Body: `{"emailVerified":true}`, Want: updated}, done,
		})
		box.empty(t)
	}
	// A site that verifies nothing sends nothing.
	a, box, _ := posting(t, func(o *apptest.Options) { o.Write.EmailVerification.Verify = false })
	a.Play(t, []apptest.Step{signUpWith("ann", "ann@x.io"), request(`"ann@x.io"`, 200, `{}`)})
	box.empty(t)
	// A site without mail says so.
	a = apptest.New(t, nil)
	const unconfigured = `{"code":1,"error":"An appName, publicServerURL, and emailAdapter are required for password reset and email verification functionality."}`
	for _, path := range []string{"/verificationEmailRequest", "/requestPasswordReset"} {
		if got := a.Do("public", "POST "+path, `{"email":"a@b"}`); got.Status != 500 || got.Body[:len(unconfigured)] != unconfigured {
			t.Error(got)
		}
	}
}

func TestPasswordReset(t *testing.T) {
	ctx := t.Context()
	a, box, clock := posting(t, func(o *apptest.Options) {
		o.Write.EmailVerification.Verify = false
		o.Users.Reset.TokenValidity = time.Hour
		o.Users.Lockout = users.Lockout{Threshold: 1, Minutes: 5, UnlockOnReset: true}
		o.Write.PasswordPolicy.Valid = func(s string) bool { return s != "weak" }
		o.Write.PasswordPolicy.DoNotAllowUsername = true
	})
	request := func(body string, status int, want string) apptest.Step {
		return apptest.Step{Do: "POST /requestPasswordReset", Body: body, Status: status, Want: want}
	}
	a.Play(t, []apptest.Step{
		signUpWith("ann", "ann@x.io"),
		{Do: "POST /users", Body: `{"username":"bob@x.io","password":"pw"}`, Want: `{<any>}`},
		{Do: "POST /users", Body: `{"username":"cid@x.io","password":"pw","email":"cid@y.io"}`, Want: `{<any>}`},
		request(`{}`, 400, `{"code":204,"error":"you must provide an email"}`),
		request(`{"email":5}`, 400, `{"code":125,"error":"you must provide a valid email string"}`),
		request(`{"token":{"$regex":"^"}}`, 400, `{"code":162,"error":"token must be a string"}`),
		request(`{"token":"no"}`, 400, `{"code":125,"error":"you must provide a valid email string"}`),
		request(`{"email":"eve@x.io"}`, 200, `{}`),
		// A name is no address where there is one beside it.
		request(`{"email":"ann"}`, 200, `{}`), request(`{"email":"cid@x.io"}`, 200, `{}`),
	})
	box.empty(t)
	a.Play(t, []apptest.Step{request(`{"email":"bob@x.io"}`, 200, `{}`)})
	box.take(t, "_perishable_token")
	a.Play(t, []apptest.Step{request(`{"email":"ann@x.io"}`, 200, `{}`)})
	token := box.take(t, "_perishable_token")

	if err := a.Users.CheckReset(ctx, token); err != nil {
		t.Error(err)
	}
	for _, other := range []string{"", "no"} {
		if err := a.Users.CheckReset(ctx, other); !errors.Is(err, users.ErrInvalidReset) {
			t.Errorf("%q: %v", other, err)
		}
		if err := a.Users.ResetPassword(ctx, other, "new"); !errors.Is(err, users.ErrInvalidReset) {
			t.Errorf("%q: %v", other, err)
		}
	}
	a.Play(t, []apptest.Step{logInAs("ann", "no", 404, wrongLogIn), logInAs("ann", "pw", 404, lockedOut)})
	for password, want := range map[string]string{
		"weak": "Password does not meet the Password Policy requirements.", "my ann": "Password cannot contain your username.",
	} {
		var e *parseerror.Error
		if err := a.Users.ResetPassword(ctx, token, password); !errors.As(err, &e) || e.Message != want {
			t.Errorf("%s: %v", password, err)
		}
	}
	// One token, many takers: one of them gets it.
	var group sync.WaitGroup
	results := make(chan error, 5)
	for range cap(results) {
		group.Go(func() { results <- a.Users.ResetPassword(ctx, token, "new") })
	}
	group.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
		} else if !errors.Is(err, users.ErrInvalidReset) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("a token worked %d times", won)
	}
	a.Play(t, []apptest.Step{
		{Who: "<tokann>", Do: "GET /users/me", Status: 400, Want: `{"code":209,"error":"Invalid session token"}`},
		logInAs("ann", "new", 200, `{"objectId":"<ann>",<any>}`),
		logInAs("ann", "pw", 404, wrongLogIn),
	})

	// An expired link asks for another.
	a.Play(t, []apptest.Step{request(`{"email":"ann@x.io"}`, 200, `{}`)})
	token = box.take(t, "_perishable_token")
	a.Play(t, []apptest.Step{request(`{"token":"`+token+`"}`, 400, `{"code":125,"error":"you must provide a valid email string"}`)})
	clock.Advance(time.Hour + time.Second)
	if err := a.Users.ResetPassword(ctx, token, "newer"); !errors.Is(err, users.ErrExpiredReset) {
		t.Error(err)
	}
	a.Play(t, []apptest.Step{request(`{"token":"`+token+`"}`, 200, `{}`)})
	if again := box.take(t, "_perishable_token"); again == token {
		t.Error("the expired token is used again")
	}
	// Changing password or address takes the link away.
	for _, body := range []string{`{"password":"x"}`, `{"email":"ann4@x.io"}`} {
		a.Play(t, []apptest.Step{
			{Who: "maintenance", Do: "PUT /users/<ann>", Body: `{"_perishable_token":"tok"}`, Want: updated},
			{Who: "master", Do: "PUT /users/<ann>", Body: body, Want: updated},
		})
		if err := a.Users.CheckReset(ctx, "tok"); !errors.Is(err, users.ErrInvalidReset) {
			t.Errorf("%s leaves the link: %v", body, err)
		}
	}
}

func TestPasswordResetTells(t *testing.T) {
	a, box, _ := posting(t, func(o *apptest.Options) {
		o.Users.Reset.SuccessOnUnknown, o.Users.Reset.ReuseToken, o.Users.Reset.TokenValidity = false, true, time.Hour
		o.Write.EmailVerification.Verify = false
	})
	a.Play(t, []apptest.Step{
		signUpWith("ann", "ann@x.io"),
		{Do: "POST /requestPasswordReset", Body: `{"email":"eve@x.io"}`, Status: 404, Want: `{"code":101,"error":"A user with that email does not exist."}`},
		{Do: "POST /requestPasswordReset", Body: `{"email":"ann@x.io"}`, Want: `{}`},
	})
	first := box.take(t, "_perishable_token")
	a.Play(t, []apptest.Step{{Do: "POST /requestPasswordReset", Body: `{"email":"ann@x.io"}`, Want: `{}`}})
	if again := box.take(t, "_perishable_token"); again != first {
		t.Error("the token isn't used again")
	}
}
