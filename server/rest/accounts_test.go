package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/mail"
)

// inbox is a mail adapter of the site's own, which keeps what it gets.
type inbox struct{ mail chan mail.Message }

func (i inbox) SendMail(_ context.Context, m mail.Message) error {
	i.mail <- m
	return nil
}

var linkForm = regexp.MustCompile(`https?://\S+`)

// link waits for a mail to the address and returns the path and query, below the API's, of the link in it.
func (i inbox) link(t *testing.T, to, base string) string {
	t.Helper()
	select {
	case m := <-i.mail:
		link := linkForm.FindString(m.Text)
		if m.To != to || !strings.HasPrefix(link, base+"/") {
			t.Fatalf("mail to %s with %s", m.To, link)
		}
		return strings.TrimPrefix(link, base)
	case <-time.After(10 * time.Second):
		t.Fatal("no mail came")
	}
	return ""
}

func (i inbox) empty(t *testing.T) {
	t.Helper()
	select {
	case m := <-i.mail:
		t.Fatalf("mail came to %s", m.To)
	case <-time.After(50 * time.Millisecond):
	}
}

// mailing is a worker that sends mail.
func mailing(t *testing.T, change func(*config.Options)) (*world, inbox) {
	box := inbox{make(chan mail.Message, 100)}
	w := start(t, server.Environment{MailAdapter: box, ValidPassword: func(s string) bool { return s != "forbidden" }}, func(o *config.Options) {
		o.PublicServerURL, o.AppName, o.MailAdapterInCode = o.ServerURL, "Shop", true
		o.VerifyUserEmails = true
		if change != nil {
			change(o)
		}
	})
	return w, box
}

var form = map[string]string{"Content-Type": "application/x-www-form-urlencoded"}

var script = map[string]string{"Content-Type": "application/x-www-form-urlencoded", "X-Requested-With": "XMLHttpRequest"}

func TestVerifyByMail(t *testing.T) {
	w, box := mailing(t, func(o *config.Options) { o.PreventLoginWithUnverifiedEmail = true })
	w.run([]Scenario{
		{Method: "POST", Path: "/users", Headers: app(), Body: `{"username":"ann","password":"pw","email":"ann@x.io"}`, Status: 201},
		{Method: "POST", Path: "/login", Headers: app(), Body: `{"username":"ann","password":"pw"}`, Status: 400, Exact: `{"code":205,"error":"User email is not verified."}`},
	})
	link := box.link(t, "ann@x.io", w.base)
	w.run([]Scenario{
		{Name: "a link cut short", Method: "GET", Path: link[:len(link)-1], Status: 200, Has: []string{"can’t be used to confirm"}},
		{Name: "asking again", Method: "POST", Path: "/apps/APP/resend_verification_email", Headers: form, Body: "username=ann&locale=de", Status: 303},
	})
	second := box.link(t, "ann@x.io", w.base)
	w.run([]Scenario{
		{Name: "the first link is gone", Method: "GET", Path: link, Status: 200, Has: []string{"can’t be used to confirm"}},
		{Name: "the link", Method: "GET", Path: second, Status: 200, Has: []string{"Address confirmed"}, WantHeaders: map[string]string{
			"Content-Type": "text/html; charset=utf-8", "X-Parse-Page-Param-Appid": "APP", "X-Parse-Page-Param-Appname": "Shop", "Referrer-Policy": "no-referrer",
		}},
		{Name: "once", Method: "GET", Path: second, Status: 200, Has: []string{"can’t be used to confirm"}},
		{Method: "POST", Path: "/login", Headers: app(), Body: `{"username":"ann","password":"pw"}`, Status: 200, Subset: `{"emailVerified":true}`},
		{Name: "nothing to ask for", Method: "POST", Path: "/verificationEmailRequest", Headers: app(), Body: `{"email":"ann@x.io"}`, Status: 200, Exact: `{}`},
		{Name: "nobody to ask for", Method: "POST", Path: "/verificationEmailRequest", Headers: app(), Body: `{"email":"eve@x.io"}`, Status: 200, Exact: `{}`},
		{Name: "without a key", Method: "POST", Path: "/verificationEmailRequest", Body: `{"email":"ann@x.io"}`, Status: 403},
	})
	box.empty(t)
}

func TestResetByMail(t *testing.T) {
	w, box := mailing(t, func(o *config.Options) {
		o.VerifyUserEmails = false
		o.PasswordPolicy = &config.PasswordPolicy{ValidatorPattern: `^\S+$`, ResetTokenValidityDuration: 3600, MaxPasswordHistory: 2}
		o.AccountLockout = &config.AccountLockout{Threshold: 1, Duration: 5, UnlockOnPasswordReset: true}
	})
	token := member(t, w.do("POST", "/users", `{"username":"ann","password":"pw","email":"ann@x.io"}`, app()).body, "sessionToken")
	w.run([]Scenario{
		{Method: "POST", Path: "/users", Headers: app(), Body: `{"username":"bob","password":"forbidden"}`, Status: 400, Exact: `{"code":142,"error":"Password does not meet the Password Policy requirements."}`},
		{Method: "POST", Path: "/requestPasswordReset", Headers: app(), Body: `{"email":"eve@x.io"}`, Status: 200, Exact: `{}`},
		{Method: "POST", Path: "/requestPasswordReset", Headers: app(), Body: `{"email":"ann@x.io"}`, Status: 200, Exact: `{}`},
		{Method: "POST", Path: "/login", Headers: app(), Body: `{"username":"ann","password":"no"}`, Status: 404},
		{Method: "POST", Path: "/login", Headers: app(), Body: `{"username":"ann","password":"pw"}`, Status: 404, Has: []string{"locked"}},
	})
	link := box.link(t, "ann@x.io", w.base)
	at, query, _ := strings.Cut(link, "?")
	w.run([]Scenario{
		{Name: "the form", Method: "GET", Path: link, Status: 200, Has: []string{`name="new_password"`, strings.TrimPrefix(query, "token=")}},
		{Name: "the policy", Method: "POST", Path: at, Headers: form, Body: query + "&new_password=a+b", Status: 200, Has: []string{"Password does not meet the Password Policy requirements."}},
		{Name: "the hook", Method: "POST", Path: at, Headers: script, Body: query + "&new_password=forbidden", Status: 400, Exact: `{"code":-1,"error":"Password does not meet the Password Policy requirements."}`},
		{Name: "the history", Method: "POST", Path: at, Headers: script, Body: query + "&new_password=pw", Status: 400, Exact: `{"code":-1,"error":"New password should not be the same as last 2 passwords."}`},
		{Name: "JSON is no form", Method: "POST", Path: at, Headers: map[string]string{"Content-Type": "application/json"}, Body: `{"token":"x","new_password":"y"}`, Status: 303},
		{Name: "too much", Method: "POST", Path: at, Headers: form, Body: query + "&new_password=" + strings.Repeat("x", 200<<10), Status: 413},
		{Name: "not text", Method: "POST", Path: at, Headers: script, Body: "token[$regex]=.&new_password=new", Status: 400, Exact: `{"code":-1,"error":"Missing token"}`},
		{Name: "twice", Method: "POST", Path: at, Headers: script, Body: query + "&" + query + "&new_password=new", Status: 400, Exact: `{"code":-1,"error":"Missing token"}`},
		{Name: "done", Method: "POST", Path: at, Headers: script, Body: query + "&new_password=new", Status: 200, Exact: `"Password successfully reset"`},
		{Name: "once", Method: "POST", Path: at, Headers: script, Body: query + "&new_password=newer", Status: 400, Exact: `{"code":-1,"error":"Failed to reset password: username / email / token is invalid"}`},
		{Name: "the page of a used link", Method: "GET", Path: link, Status: 200, Has: []string{"can’t be used to change"}},
		{Name: "sessions have ended", Method: "GET", Path: "/users/me", Headers: app("X-Parse-Session-Token", token), Status: 400, Subset: `{"code":209}`},
		{Name: "unlocked", Method: "POST", Path: "/login", Headers: app(), Body: `{"username":"ann","password":"new"}`, Status: 200, Subset: `{"username":"ann"}`},
	})
	box.empty(t)
}

// TestPageAdvisories: the requests of parse-server's past advisories about pages, mail and accounts.
func TestPageAdvisories(t *testing.T) {
	w, box := mailing(t, func(o *config.Options) {
		o.AccountLockout = &config.AccountLockout{Threshold: 3, Duration: 5}
		o.Pages.EnableLocalization = true
	})
	if got := w.do("POST", "/users", `{"username":"ann","password":"pw","email":"ann@x.io"}`, app()); got.status != 201 {
		t.Fatal(got)
	}
	box.link(t, "ann@x.io", w.base)
	w.run([]Scenario{
		{Name: "vgjh-hmwf-c588: reset by operator", Method: "POST", Path: "/requestPasswordReset", Headers: app(), Body: `{"token":{"$regex":"^"}}`, Status: 400, Exact: `{"code":162,"error":"token must be a string"}`},
		{Name: "vgjh-hmwf-c588: address by operator", Method: "POST", Path: "/requestPasswordReset", Headers: app(), Body: `{"email":{"$regex":"^"}}`, Status: 400, Exact: `{"code":125,"error":"you must provide a valid email string"}`},
		{Name: "vgjh-hmwf-c588: verify by operator", Method: "GET", Path: "/apps/APP/verify_email?token[$ne]=1", Status: 200, Has: []string{"can’t be used to confirm"}},
		{Name: "vgjh-hmwf-c588: resend by operator", Method: "POST", Path: "/apps/APP/resend_verification_email", Headers: form, Body: "username[$ne]=1", Status: 303},
		{Name: "w54v-hf9p-8856: unknown address", Method: "POST", Path: "/verificationEmailRequest", Headers: app(), Body: `{"email":"eve@x.io"}`, Status: 200, Exact: `{}`},
		{Name: "hm3f-q6rw-m6wh: out of the folder", Method: "GET", Path: "/apps/..%2f..%2fgo.mod", Status: 404, Exact: "Not found."},
		{Name: "hm3f-q6rw-m6wh, page-locale: a locale out of the folder", Method: "GET", Path: "/apps/APP/verify_email?locale=../../x", Status: 200, Has: []string{`lang="en"`}},
		{Name: "jhgf-2h8h-ggxv: script as a locale", Method: "GET", Path: "/apps/choose_password?appId=APP&locale=" + url.QueryEscape(`"><script>`) + "&token=" + url.QueryEscape(`"><script>`), Status: 200, Has: []string{"&lt;script&gt;"}},
		{Name: "header splitting", Method: "GET", Path: "/apps/choose_password?appId=APP&username=a%0d%0aX-Evil:%20b", Status: 200, WantHeaders: map[string]string{"X-Evil": "", "X-Parse-Page-Param-Username": "aX-Evil: b"}},
	})
	box.empty(t)
	if got := w.do("GET", "/apps/choose_password?appId=APP&username="+url.QueryEscape(`"><script>alert(1)</script>`), "", nil); strings.Contains(got.body, "<script") {
		t.Error(got.body)
	}
	// h29g-q5c2-9h4f: the page that sends mail again tells nobody who there is.
	resend := func(who string) string {
		res := w.do("POST", "/apps/APP/resend_verification_email", "username="+who, form)
		return strings.ReplaceAll(fmt.Sprint(res.status, res.header.Get("Location"), res.body), who, "<who>")
	}
	if known, unknown := resend("ann"), resend("eve"); known != unknown {
		t.Errorf("of somebody %s, of nobody %s", known, unknown)
	}
	box.link(t, "ann@x.io", w.base)
	box.empty(t)
	// lockout-race: of many guesses at the same time, three are looked at.
	var group sync.WaitGroup
	answers := make(chan string, 15)
	for range cap(answers) {
		group.Go(func() { answers <- w.do("POST", "/login", `{"username":"ann","password":"no"}`, app()).body })
	}
	group.Wait()
	close(answers)
	looked := 0
	for a := range answers {
		if strings.Contains(a, "Invalid username/password.") {
			looked++
		}
	}
	if looked != 3 {
		t.Errorf("%d guesses were looked at", looked)
	}
	// r3xq-68wh-gwvh: one token, two takers.
	w.do("POST", "/requestPasswordReset", `{"email":"ann@x.io"}`, app())
	at, query, _ := strings.Cut(box.link(t, "ann@x.io", w.base), "?")
	statuses := make(chan int, 4)
	for range cap(statuses) {
		group.Go(func() { statuses <- w.do("POST", at, query+"&new_password=new", script).status })
	}
	group.Wait()
	close(statuses)
	won := 0
	for s := range statuses {
		if s == http.StatusOK {
			won++
		}
	}
	if won != 1 {
		t.Errorf("a token worked %d times", won)
	}
}

func TestWithoutMail(t *testing.T) {
	w := start(t, server.Environment{}, nil)
	const want = `{"code":1,"error":"An appName, publicServerURL, and emailAdapter are required for password reset and email verification functionality."}`
	w.run([]Scenario{
		{Method: "POST", Path: "/requestPasswordReset", Headers: app(), Body: `{"email":"a@b"}`, Status: 500, Exact: want},
		{Method: "POST", Path: "/verificationEmailRequest", Headers: app(), Body: `{"email":"a@b"}`, Status: 500, Exact: want},
		{Name: "pages need a name", Method: "GET", Path: "/apps/APP/verify_email?token=x", Status: 404, Exact: "Not found."},
		{Name: "another app's page", Method: "GET", Path: "/apps/other/verify_email?token=x", Status: 403, Exact: `{"error":"unauthorized"}`},
		{Name: "no page", Method: "GET", Path: "/apps", Status: 403, Exact: `{"error":"unauthorized"}`},
		{Name: "no page for POST", Method: "POST", Path: "/apps/APP/verify_email", Status: 403, Exact: `{"error":"unauthorized"}`},
		{Name: "no page for POST, with a key", Method: "POST", Path: "/apps/APP/verify_email", Headers: app(), Status: 404, Has: []string{"Cannot POST"}},
		{Method: "POST", Path: "/upgradeToRevocableSession", Headers: app(), Status: 404, Exact: `{"code":101,"error":"invalid session"}`},
	})
}

// TestTransactionsAndAccounts: mail waits for the commit of the whole batch, and a failed log-in can't be undone with it.
func TestTransactionsAndAccounts(t *testing.T) {
	w, box := mailing(t, func(o *config.Options) { o.AccountLockout = &config.AccountLockout{Threshold: 2, Duration: 5} })
	batch := func(requests string) string { return `{"transaction":true,"requests":[` + requests + `]}` }
	signUp := func(name string) string {
		return `{"method":"POST","path":"/parse/users","body":{"username":"` + name + `","password":"pw","email":"` + name + `@x.io"}}`
	}
	w.run([]Scenario{
		{Name: "undone", Method: "POST", Path: "/batch", Headers: app(), Body: batch(signUp("ann") + "," + signUp("ann")), Status: 400, Subset: `{"code":202}`},
	})
	box.empty(t)
	w.run([]Scenario{{Name: "done", Method: "POST", Path: "/batch", Headers: app(), Body: batch(signUp("ann")), Status: 200}})
	box.link(t, "ann@x.io", w.base)
	box.empty(t)
	guess := `{"method":"POST","path":"/parse/login","body":{"username":"ann","password":"no"}}`
	for range 4 {
		w.run([]Scenario{{Name: "guessing", Method: "POST", Path: "/batch", Headers: app(), Body: batch(guess), Status: 400, Exact: `{"code":108,"error":"Passwords can't be checked within a transaction."}`}})
	}
	w.run([]Scenario{
		{Name: "guessing one by one", Method: "POST", Path: "/batch", Headers: app(), Body: `{"requests":[` + guess + `,` + guess + `,` + guess + `]}`, Status: 200, Has: []string{"Invalid username/password.", "Your account is locked"}},
	})
}
