package pages

import (
	"context"
	"encoding/json"
)

// page is one of the pages, by the name it has in pages.customUrls.
type page struct{ id, file string }

var (
	passwordReset                = page{"passwordReset", "password_reset.html"}
	passwordResetSuccess         = page{"passwordResetSuccess", "password_reset_success.html"}
	passwordResetLinkInvalid     = page{"passwordResetLinkInvalid", "password_reset_link_invalid.html"}
	emailVerificationSuccess     = page{"emailVerificationSuccess", "email_verification_success.html"}
	emailVerificationSendFail    = page{"emailVerificationSendFail", "email_verification_send_fail.html"}
	emailVerificationSendSuccess = page{"emailVerificationSendSuccess", "email_verification_send_success.html"}
	emailVerificationLinkInvalid = page{"emailVerificationLinkInvalid", "email_verification_link_invalid.html"}
)

func (p *Pages) verifyEmail(ctx context.Context, r *Request) *Response {
	token := r.Query["token"]
	if token == "" {
		return p.show(r, emailVerificationLinkInvalid, nil)
	}
	if err := p.accounts.VerifyEmail(ctx, token); err != nil {
		p.o.Logger.Debug("an address wasn't verified", "error", err)
		return p.show(r, emailVerificationLinkInvalid, nil)
	}
	return p.show(r, emailVerificationSuccess, nil)
}

func (p *Pages) resendVerification(ctx context.Context, r *Request) *Response {
	name, token := r.Form["username"], r.Form["token"]
	if name == "" && token == "" {
		return p.show(r, emailVerificationLinkInvalid, nil)
	}
	err := p.accounts.ResendVerification(ctx, name, token)
	if err != nil && !p.o.ResendSuccessOnUnknown {
		return p.show(r, emailVerificationSendFail, nil)
	}
	return p.show(r, emailVerificationSendSuccess, nil)
}

// requestReset answers who opens a link from a mail.
func (p *Pages) requestReset(ctx context.Context, r *Request) *Response {
	token := r.Query["token"]
	if token == "" || p.accounts.CheckReset(ctx, token) != nil {
		return p.show(r, passwordResetLinkInvalid, nil)
	}
	return p.show(r, passwordReset, params{{"token", token}, {"appId", p.o.AppID}, {"appName", p.o.AppName}})
}

// resetPassword answers the form of the page to choose a password, or a script that sends what it sends.
func (p *Pages) resetPassword(ctx context.Context, r *Request) *Response {
	token, password := r.Form["token"], r.Form["new_password"]
	switch {
	case token != "" && password != "":
	case !r.XHR:
		return p.show(r, passwordResetLinkInvalid, nil)
	case token == "":
		return failure(400, -1, "Missing token")
	default:
		return failure(400, 201, "Missing password")
	}
	err := p.accounts.ResetPassword(ctx, token, password)
	if err == nil {
		if r.XHR {
			return &Response{Status: 200, ContentType: typeJSON, Body: []byte(`"Password successfully reset"`)}
		}
		return p.answer(r, passwordResetSuccess, nil, p.o.ForceRedirect)
	}
	message, ok := p.o.Explain(err)
	if !ok {
		p.o.Logger.Error("cannot reset a password", "error", err)
		message = "Internal server error."
	}
	if r.XHR {
		return failure(400, -1, message)
	}
	return p.answer(r, passwordReset, params{
		{"token", token}, {"appId", p.o.AppID}, {"error", message}, {"appName", p.o.AppName},
	}, p.o.ForceRedirect)
}

const (
	typeJSON = "application/json; charset=utf-8"
	typeHTML = "text/html; charset=utf-8"
)

// failure is an error as the API has them; code 0 is left out.
func failure(status, code int, message string) *Response {
	body, _ := json.Marshal(struct { // never fails for such a struct
		Code  int    `json:"code,omitempty"`
		Error string `json:"error"`
	}{code, message})
	return &Response{Status: status, ContentType: typeJSON, Body: body}
}

func notFound() *Response {
	return &Response{Status: 404, ContentType: typeHTML, Body: []byte("Not found.")}
}
