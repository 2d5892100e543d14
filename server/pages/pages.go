package pages

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Accounts is what the pages do for users. ResendVerification and VerifyEmail fail for links that lead nowhere.
type Accounts interface {
	VerifyEmail(ctx context.Context, token string) error
	ResendVerification(ctx context.Context, name, token string) error
	// CheckReset fails if a password can't be reset with the token.
	CheckReset(ctx context.Context, token string) error
	// ResetPassword's error is shown to the user if Explain finds words for it.
	ResetPassword(ctx context.Context, token, password string) error
}

// Options are the options of pages, by parse-server's names.
type Options struct {
	AppID string
	// AppName and PublicServerURL stand in pages and redirects; without both there are none.
	AppName, PublicServerURL string
	// PagesEndpoint is the path of the pages below the API's, without slashes around it.
	PagesEndpoint string
	// PagesPath is a folder with pages in place of the bundled ones; "" for none.
	PagesPath string
	// CustomURLs are addresses to redirect to instead of showing a page, by the page's name.
	CustomURLs map[string]string
	// ForceRedirect redirects to a page's own address instead of answering with the page.
	ForceRedirect bool
	// EnableLocalization looks for a page in the language that a request asks for, and for translated texts.
	EnableLocalization bool
	// LocalizationJSONPath is a file of translated texts; "" for none.
	LocalizationJSONPath string
	// LocalizationFallbackLocale is the language of those texts where there is no better one.
	LocalizationFallbackLocale string
	// Placeholders are values for placeholders of pages.
	Placeholders map[string]any
	// EncodePageParamHeaders escapes the header fields that repeat a page's parameters.
	EncodePageParamHeaders bool
	// ResendSuccessOnUnknown shows the same page whether or not there was somebody to send a link to.
	ResendSuccessOnUnknown bool
	// Explain returns what a user may know of a password that wasn't taken; false: nothing.
	Explain func(error) (string, bool)
	// Logger gets failures; nil: slog.Default.
	Logger *slog.Logger
}

// Pages answers requests for pages. It is safe for concurrent use.
type Pages struct {
	o            Options
	accounts     Accounts
	files        fs.FS
	bundled      bool
	translations map[string]any
	close        func() error
}

// New opens the folder of pages and the translations.
func New(o Options, accounts Accounts) (*Pages, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	p := &Pages{o: o, accounts: accounts, close: func() error { return nil }}
	if err := p.open(); err != nil {
		return nil, err
	}
	if err := p.loadTranslations(); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// Close closes the folder of pages.
func (p *Pages) Close() error { return p.close() }

// Request is what the pages need to know of an HTTP request.
type Request struct {
	// Method is GET or POST.
	Method string
	// Path is the escaped path below the API's, such as "/apps/APP/verify_email".
	Path string
	// Query and Form are the parameters of the query string and of an urlencoded body. What isn't text in them isn't
	// there.
	Query, Form map[string]string
	// XHR says that a script asks, who wants JSON.
	XHR bool
	// Locale is the header field X-Parse-Page-Param-Locale.
	Locale string
}

// Response is the answer to a request.
type Response struct {
	Status int
	// ContentType is that of the body.
	ContentType string
	Body        []byte
	// Header holds further header fields.
	Header map[string]string
}

// Has reports whether a path below the API's is one of a page. Other paths are the API's.
func (p *Pages) Has(method, path string) bool {
	at, rest, ok := p.route(path)
	switch {
	case !ok:
		return false
	case method == "POST":
		return at == resend || at == reset
	}
	return method == "GET" && (at != static || rest != "")
}

// places are what a path may lead to.
type place uint8

const (
	static place = iota
	verify
	resend
	reset
	choose
)

// route finds the place of a path, and the part of the path that it depends on: the app id, or the name of a file.
func (p *Pages) route(path string) (at place, rest string, ok bool) {
	prefix := "/" + p.o.PagesEndpoint
	if len(path) < len(prefix) || !strings.EqualFold(path[:len(prefix)], prefix) {
		return 0, "", false
	}
	if path = path[len(prefix):]; path != "" && path[0] != '/' {
		return 0, "", false
	}
	rest = strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")
	app, page, _ := strings.Cut(rest, "/")
	switch {
	case strings.EqualFold(page, "verify_email"):
		return verify, app, true
	case strings.EqualFold(page, "resend_verification_email"):
		return resend, app, true
	case strings.EqualFold(page, "request_password_reset"):
		return reset, app, true
	case strings.EqualFold(rest, "choose_password"):
		return choose, "", true
	}
	return static, rest, true
}

// Answer answers a request for a page.
func (p *Pages) Answer(ctx context.Context, r *Request) *Response {
	at, rest, _ := p.route(r.Path)
	name, err := url.PathUnescape(rest)
	if err != nil || !utf8.ValidString(name) {
		return failure(400, 0, "Failed to decode param '"+rest+"'")
	}
	switch {
	case at == static:
		return p.file(r, name)
	case at == resend && r.Method == "GET":
		return notFound()
	}
	if at == choose {
		name = r.Query["appId"]
	}
	if name != p.o.AppID {
		return failure(403, 0, "unauthorized")
	}
	switch at {
	case verify:
		return p.verifyEmail(ctx, r)
	case resend:
		return p.resendVerification(ctx, r)
	case reset:
		if r.Method == "POST" {
			return p.resetPassword(ctx, r)
		}
		return p.requestReset(ctx, r)
	}
	return p.show(r, passwordReset, params{
		{"appId", p.o.AppID}, {"appName", p.o.AppName}, {"token", r.Query["token"]}, {"username", r.Query["username"]},
	})
}
