package pages

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// accounts stands in for what package users does, which has tests of its own; here it is about what is shown.
type accounts struct{ err error }

func (a accounts) VerifyEmail(context.Context, string) error                { return a.err }
func (a accounts) ResendVerification(context.Context, string, string) error { return a.err }
func (a accounts) CheckReset(context.Context, string) error                 { return a.err }
func (a accounts) ResetPassword(context.Context, string, string) error      { return a.err }

const site = "https://h/parse"

func open(t testing.TB, err error, change func(*Options)) *Pages {
	t.Helper()
	o := Options{
		AppID: "a b", AppName: "Shop", PublicServerURL: site, PagesEndpoint: "apps", LocalizationFallbackLocale: "en", ResendSuccessOnUnknown: true,
		Explain: func(err error) (string, bool) { return err.Error(), true },
	}
	if change != nil {
		change(&o)
	}
	p, e := New(o, accounts{err})
	if e != nil {
		t.Fatal(e)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// get asks for a page, with a query of name=value pairs.
func (p *Pages) get(path string, query ...string) *Response {
	r := &Request{Method: "GET", Path: path, Query: map[string]string{}}
	for i := 0; i+1 < len(query); i += 2 {
		r.Query[query[i]] = query[i+1]
	}
	return p.Answer(context.Background(), r)
}

// post sends a form of name=value pairs.
func (p *Pages) post(path string, form ...string) *Response {
	r := &Request{Method: "POST", Path: path, Form: map[string]string{}}
	for i := 0; i+1 < len(form); i += 2 {
		r.Form[form[i]] = form[i+1]
	}
	return p.Answer(context.Background(), r)
}

func TestPathsOfPages(t *testing.T) {
	p := open(t, nil, func(o *Options) { o.PagesEndpoint = "konto/seiten" })
	for path, want := range map[string][2]bool{ // GET, POST
		"/konto/seiten/APP/verify_email":              {true, false},
		"/KONTO/Seiten/APP/VERIFY_EMAIL/":             {true, false},
		"/konto/seiten/APP/resend_verification_email": {true, true},
		"/konto/seiten/APP/request_password_reset":    {true, true},
		"/konto/seiten/choose_password":               {true, false},
		"/konto/seiten/x.html":                        {true, false},
		"/konto/seiten":                               {false, false},
		"/konto/seiten/":                              {false, false},
		"/konto/seitenx/APP/verify_email":             {false, false},
		"/apps/APP/verify_email":                      {false, false},
		"/konto":                                      {false, false},
	} {
		if got := [2]bool{p.Has("GET", path), p.Has("POST", path)}; got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	if p.Has("PUT", "/konto/seiten/APP/verify_email") {
		t.Error("PUT is a page's")
	}
}

func TestNothingLeavesTheFolder(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "pages")
	write(t, filepath.Join(dir, "secret.html"), "secret")
	write(t, filepath.Join(dir, "pages-private", "secret.html"), "secret")
	write(t, filepath.Join(folder, "ok.html"), "ok")
	write(t, filepath.Join(folder, "password_reset.html"), "default")
	if err := os.Symlink(filepath.Join(dir, "secret.html"), filepath.Join(folder, "link.html")); err != nil {
		t.Fatal(err)
	}
	p := open(t, nil, func(o *Options) { o.PagesPath, o.EnableLocalization = folder, true })
	for _, path := range []string{
		"..%2fsecret.html", "../secret.html", "%2e%2e/secret.html", "..%5csecret.html", "x/../../secret.html", "%2f" + dir[1:] + "/secret.html",
		"..%2fpages-private/secret.html", "link.html", ".", "%00.html", "ok.html%00", "ok.html/", "", "nosuch.html",
	} {
		if res := p.get("/apps/" + path); strings.Contains(string(res.Body), "secret") || path != "ok.html/" && res.Status != 404 {
			t.Errorf("%s: %d %s", path, res.Status, res.Body)
		}
	}
	if res := p.get("/apps/%zz"); res.Status != 400 {
		t.Errorf("%d", res.Status)
	}
	for _, locale := range []string{"..", "../..", "de/../..", "..%2f", "x\x00", strings.Repeat("a", 100), "e", "de_AT", "-de", `de"><script>`} {
		if res := p.get("/apps/a%20b/request_password_reset", "token", "t", "locale", locale); string(res.Body) != "default" || res.Header["X-Parse-Page-Param-locale"] != "" {
			t.Errorf("%q: %s %v", locale, res.Body, res.Header)
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestParametersAreEscaped: nothing that comes with a request becomes HTML, or a header field.
func TestParametersAreEscaped(t *testing.T) {
	const evil = "\"'`><script>alert(1)</script>\r\nSet-Cookie: a=b {{appId}}"
	p := open(t, errors.New(evil), nil)
	for name, res := range map[string]*Response{
		"choose": p.get("/apps/choose_password", "appId", "a b", "token", evil, "username", evil, "locale", evil, "error", evil),
		"reset":  p.post("/apps/a%20b/request_password_reset", "token", evil, "new_password", "x", "username", evil, "locale", evil),
	} {
		body := string(res.Body)
		if res.Status != 200 || strings.Contains(body, "<script") || strings.Contains(body, `"'`) || strings.Contains(body, "a b}}") || !strings.Contains(body, "{{appId}}") {
			t.Errorf("%s: %d %s", name, res.Status, body)
		}
		if !strings.Contains(body, "&quot;&#39;&#x60;&gt;&lt;script&gt;") {
			t.Errorf("%s: the value isn't there: %s", name, body)
		}
		for k, v := range res.Header {
			if strings.ContainsAny(v, "\r\n\x00") {
				t.Errorf("%s: header %s: %q", name, k, v)
			}
		}
		if res.Header["Referrer-Policy"] != "no-referrer" || res.Header["Cache-Control"] != "no-store" || res.Header["Content-Security-Policy"] == "" {
			t.Errorf("%s: header %v", name, res.Header)
		}
	}
	// A redirect carries them escaped.
	res := open(t, nil, func(o *Options) {
		o.CustomURLs = map[string]string{"passwordReset": "https://x.io?token=old&keep=1#frag"}
	}).get("/apps/a%20b/request_password_reset", "token", evil)
	location := res.Header["Location"]
	if res.Status != 303 || strings.ContainsAny(location, "\r\n <>\"'`") || strings.Contains(string(res.Body), "<") ||
		!strings.HasPrefix(location, "https://x.io/?token=%22%27%60%3E%3Cscript") || !strings.HasSuffix(location, "#frag") || !strings.Contains(location, "&keep=1&") || strings.Contains(location, "old") {
		t.Errorf("%d %s", res.Status, location)
	}
}

func TestPageParamHeaders(t *testing.T) {
	for _, encode := range []bool{false, true} {
		res := open(t, nil, func(o *Options) { o.EncodePageParamHeaders = encode }).get("/apps/choose_password", "appId", "a b", "username", "é (x)!\x7f", "token", strings.Repeat("t", 10000))
		want := "é (x)!"
		if encode {
			want = "%C3%A9%20(x)!%7F"
		}
		if got := res.Header["X-Parse-Page-Param-username"]; got != want {
			t.Errorf("username: %q, want %q", got, want)
		}
		if _, there := res.Header["X-Parse-Page-Param-token"]; there {
			t.Error("a header field of 10000 bytes")
		}
	}
}

// TestBundledPages: every page is there in every language, says the app's name, and nothing is left to be filled in.
func TestBundledPages(t *testing.T) {
	p := open(t, nil, func(o *Options) { o.EnableLocalization = true })
	for _, file := range []string{
		passwordReset.file, passwordResetSuccess.file, passwordResetLinkInvalid.file, emailVerificationSuccess.file, emailVerificationSendFail.file,
		emailVerificationSendSuccess.file, emailVerificationLinkInvalid.file, "email_verification_link_expired.html",
	} {
		for _, folder := range []string{"", "de/"} {
			res := p.get("/apps/"+folder+file, "appId", "a b")
			body := string(res.Body)
			if res.Status != 200 || !strings.Contains(body, "Shop") || strings.Contains(body, "{{") {
				t.Errorf("%s%s: %d %s", folder, file, res.Status, body)
			}
		}
	}
	res := p.get("/apps/a%20b/request_password_reset", "token", "t1", "locale", "de-CH")
	if body := string(res.Body); !strings.Contains(body, `lang="de"`) || !strings.Contains(body, `action="https:&#x2F;&#x2F;h&#x2F;parse&#x2F;apps&#x2F;a%20b/request_password_reset"`) ||
		!strings.Contains(body, `name="token" value="t1"`) || !strings.Contains(body, `name="locale" value="de-CH"`) {
		t.Errorf("%s", body)
	}
}

func TestOwnPages(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"password_reset_link_invalid.html":       "D {{greeting}} {{{greeting}}} {{site}} {{list}} {{#error}}E{{/error}}{{> password_reset_link_invalid}}",
		"de/password_reset_link_invalid.html":    "DE {{greeting}} {{appName}}",
		"de-AT/password_reset_link_invalid.html": "AT {{appName}}",
		"style.css":                              "body{}", "logo.png": "\x89PNG\xff", "data.xyz": "?",
		"broken.html": "{{#open}}",
	} {
		write(t, filepath.Join(dir, filepath.FromSlash(name)), text)
	}
	texts := filepath.Join(dir, "texts.json")
	write(t, texts, `{"en":{"translation":{"greeting":"Hi {{appName}} <b>","appName":"translated"}},"de":{"translation":{"greeting":"Hallo"}},"fr":{}}`)
	p := open(t, errors.New("no"), func(o *Options) {
		o.PagesPath, o.EnableLocalization, o.LocalizationJSONPath = dir, true, texts
		o.Placeholders = map[string]any{"site": "S&T", "greeting": "overridden"}
	})
	for locale, want := range map[string]string{
		"":      "D Hi Shop &lt;b&gt; Hi Shop <b> S&amp;T  ",
		"it":    "D Hi Shop &lt;b&gt; Hi Shop <b> S&amp;T  ",
		"de":    "DE Hallo Shop",
		"de-CH": "DE Hallo Shop",
		"de-AT": "AT Shop",
	} {
		if res := p.get("/apps/a%20b/request_password_reset", "token", "x", "locale", locale); string(res.Body) != want {
			t.Errorf("%q: %q, want %q", locale, res.Body, want)
		}
	}
	for name, want := range map[string]string{"style.css": "text/css; charset=utf-8", "logo.png": "image/png", "data.xyz": "application/octet-stream"} {
		if res := p.get("/apps/" + name); res.Status != 200 || res.ContentType != want || res.Header["X-Content-Type-Options"] != "nosniff" {
			t.Errorf("%s: %d %s %v", name, res.Status, res.ContentType, res.Header)
		}
	}
	if res := p.get("/apps/broken.html"); res.Status != 500 || !strings.Contains(string(res.Body), "Internal server error.") {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	// A page that the folder lacks isn't taken from the bundled ones.
	if res := p.get("/apps/a%20b/verify_email", "token", "x"); res.Status != 404 || string(res.Body) != "Not found." {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	if _, err := New(Options{PagesPath: filepath.Join(dir, "nosuch")}, accounts{}); err == nil {
		t.Error("a folder that isn't there is opened")
	}
	if _, err := New(Options{LocalizationJSONPath: filepath.Join(dir, "style.css")}, accounts{}); err == nil {
		t.Error("texts that aren't JSON are read")
	}
}

func TestAnswersOfForms(t *testing.T) {
	ok, bad := open(t, nil, nil), open(t, errors.New("why"), nil)
	tell := open(t, errors.New("why"), func(o *Options) { o.ResendSuccessOnUnknown = false })
	force := open(t, nil, func(o *Options) { o.ForceRedirect = true })
	unnamed := open(t, nil, func(o *Options) { o.AppName = "" })
	internal := open(t, errors.New("disk full"), func(o *Options) { o.Explain = func(error) (string, bool) { return "", false } })
	const reset, again = "/apps/a%20b/request_password_reset", "/apps/a%20b/resend_verification_email"
	for name, tt := range map[string]struct {
		res    *Response
		status int
		has    string // in the body, or the address of a redirect
	}{
		"verified":              {ok.get("/apps/a%20b/verify_email", "token", "t"), 200, "Address confirmed"},
		"not verified":          {bad.get("/apps/a%20b/verify_email", "token", "t"), 200, "can’t be used to confirm"},
		"verified, redirected":  {force.get("/apps/a%20b/verify_email", "token", "t"), 303, site + "/apps/email_verification_success.html?appId=a+b&appName=Shop&publicServerUrl=https%3A%2F%2Fh%2Fparse"},
		"another app":           {ok.get("/apps/other/verify_email", "token", "t"), 403, `{"error":"unauthorized"}`},
		"no app":                {ok.get("/apps/choose_password"), 403, `{"error":"unauthorized"}`},
		"no name":               {unnamed.get("/apps/a%20b/verify_email", "token", "t"), 404, "Not found."},
		"resent":                {ok.post(again, "username", "ann"), 303, site + "/apps/email_verification_send_success.html?"},
		"resent to nobody":      {bad.post(again, "username", "ann"), 303, site + "/apps/email_verification_send_success.html?"},
		"resent, told":          {tell.post(again, "token", "t"), 303, site + "/apps/email_verification_send_fail.html?"},
		"resent without a name": {ok.post(again), 303, site + "/apps/email_verification_link_invalid.html?"},
		"resent by GET":         {ok.get(again), 404, "Not found."},
		"a link to reset":       {ok.get(reset, "token", "t"), 200, `name="new_password"`},
		"a bad link":            {bad.get(reset, "token", "t"), 200, "can’t be used to change"},
		"no token":              {ok.get(reset), 200, "can’t be used to change"},
		"changed":               {ok.post(reset, "token", "t", "new_password", "x"), 200, "Password changed"},
		"changed, redirected":   {force.post(reset, "token", "t", "new_password", "x"), 303, site + "/apps/password_reset_success.html?"},
		"refused":               {bad.post(reset, "token", "t", "new_password", "x"), 200, `role="alert">why<`},
		"failed":                {internal.post(reset, "token", "t", "new_password", "x"), 200, "Internal server error."},
		"no password":           {ok.post(reset, "token", "t"), 303, site + "/apps/password_reset_link_invalid.html?"},
	} {
		t.Run(name, func(t *testing.T) {
			text := string(tt.res.Body)
			if tt.status == 303 {
				text = tt.res.Header["Location"]
			}
			if tt.res.Status != tt.status || !strings.Contains(text, tt.has) || strings.Contains(text, "disk full") {
				t.Errorf("%d %s, want %d %s", tt.res.Status, text, tt.status, tt.has)
			}
		})
	}
}

func TestAnswersOfScripts(t *testing.T) {
	post := func(p *Pages, form map[string]string) *Response {
		return p.Answer(context.Background(), &Request{Method: "POST", Path: "/apps/a%20b/request_password_reset", XHR: true, Form: form})
	}
	both := map[string]string{"token": "t", "new_password": "x"}
	for name, tt := range map[string]struct {
		res    *Response
		status int
		body   string
	}{
		"changed":     {post(open(t, nil, nil), both), 200, `"Password successfully reset"`},
		"refused":     {post(open(t, errors.New("why"), nil), both), 400, `{"code":-1,"error":"why"}`},
		"no token":    {post(open(t, nil, nil), nil), 400, `{"code":-1,"error":"Missing token"}`},
		"no password": {post(open(t, nil, nil), map[string]string{"token": "t"}), 400, `{"code":201,"error":"Missing password"}`},
	} {
		if tt.res.Status != tt.status || string(tt.res.Body) != tt.body || tt.res.ContentType != typeJSON {
			t.Errorf("%s: %d %s", name, tt.res.Status, tt.res.Body)
		}
	}
}

// FuzzPages: whatever is asked for, there is an answer, and what was sent isn't HTML in it.
func FuzzPages(f *testing.F) {
	p := open(f, errors.New("<why>"), func(o *Options) { o.EnableLocalization = true })
	f.Add("GET", "/apps/choose_password", "<b>", "de")
	f.Add("POST", "/apps/a%20b/request_password_reset", "\r\n<script>", "../x")
	f.Fuzz(func(t *testing.T, method, path, value, locale string) {
		if !p.Has(method, path) {
			return
		}
		values := map[string]string{"appId": "a b", "token": value + "<i>", "new_password": "x", "username": value + "<i>", "locale": locale, "error": value}
		res := p.Answer(t.Context(), &Request{Method: method, Path: path, Query: values, Form: values})
		if res.Status < 200 || res.Status > 404 || res.ContentType == typeHTML && strings.Contains(string(res.Body), "<i>") {
			t.Errorf("%d %s", res.Status, res.Body)
		}
		for _, v := range res.Header {
			if strings.ContainsAny(v, "\r\n") {
				t.Errorf("header %q", v)
			}
		}
	})
}
