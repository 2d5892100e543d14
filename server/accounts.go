package server

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/mail"
	"github.com/parsescale/parsescale/server/pages"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/users"
	"github.com/parsescale/parsescale/server/users/password"
	"github.com/parsescale/parsescale/server/write"
)

// openMail returns the postman whom the options ask for; nil: there is nobody to send mail.
func openMail(o *config.Options, env Environment) (*mail.Postman, error) {
	adapter, texts := env.MailAdapter, mail.DefaultTexts()
	if adapter == nil && o.EmailAdapter == nil {
		return nil, nil
	}
	if adapter == nil {
		var err error
		if adapter, texts, err = mail.Open(o.EmailAdapter.Module, o.EmailAdapter.Options); err != nil {
			return nil, err
		}
	}
	return mail.NewPostman(adapter, mail.Options{
		AppName: o.AppName, PublicServerURL: o.PublicServerURL, PagesURL: pagesURL(o) + "/" + url.PathEscape(o.AppID),
		FrameURL: o.CustomPages.ParseFrameURL, Texts: texts, Logger: env.Logger,
	}), nil
}

// pagesURL is the address of the pages as users' browsers know it.
func pagesURL(o *config.Options) string { return o.PublicServerURL + "/" + o.Pages.PagesEndpoint }

// accountOptions spreads the options of accounts over the write path and the users.
func accountOptions(o *config.Options, env Environment, postman *mail.Postman, writing *write.Options) (users.Options, error) {
	u := users.DefaultOptions()
	u.MailConfigured = o.EmailConfigured()
	u.ExtendSessionOnUse, u.SessionLength = o.ExtendSessionOnUse && o.ExpireInactiveSessions, time.Duration(o.SessionLength)*time.Second
	u.ReuseVerifyToken, u.VerifySuccessOnUnknown = o.EmailVerifyTokenReuseIfValid, o.EmailVerifySuccessOnInvalidEmail
	u.Verification = write.EmailVerification{
		Verify: o.VerifyUserEmails, PreventLogin: o.PreventLoginWithUnverifiedEmail, PreventSignup: o.PreventSignupWithUnverifiedEmail,
		TokenValidity: time.Duration(o.EmailVerifyTokenValidityDuration) * time.Second,
	}
	if l := o.AccountLockout; l != nil {
		u.Lockout = users.Lockout{Threshold: l.Threshold, Minutes: l.Duration, UnlockOnReset: l.UnlockOnPasswordReset}
	}
	if postman != nil {
		u.Reset.Send = func(user storage.Object) { postman.PasswordReset(addressee(user, "_perishable_token")) }
		if o.SendUserEmailVerification {
			u.Verification.Send = func(user storage.Object) { postman.Verification(addressee(user, "_email_verify_token")) }
		}
	}
	writing.EmailVerification = u.Verification
	return u, passwordOptions(o, env, writing, &u)
}

// passwordOptions spreads passwordPolicy.
func passwordOptions(o *config.Options, env Environment, writing *write.Options, u *users.Options) error {
	p := o.PasswordPolicy
	if p == nil {
		p = &config.PasswordPolicy{}
	}
	matches := func(string) bool { return true }
	if p.ValidatorPattern != "" {
		var err error
		if matches, err = password.Pattern(p.ValidatorPattern); err != nil {
			return fmt.Errorf("cannot use passwordPolicy.validatorPattern: %w", err)
		}
	}
	writing.PasswordPolicy = write.PasswordPolicy{
		Valid:           func(s string) bool { return matches(s) && (env.ValidPassword == nil || env.ValidPassword(s)) },
		ValidationError: p.ValidationError, DoNotAllowUsername: p.DoNotAllowUsername, MaxHistory: p.MaxPasswordHistory,
		MaxAge: time.Duration(p.MaxPasswordAge * float64(24*time.Hour)),
	}
	u.MaxPasswordAge = writing.PasswordPolicy.MaxAge
	u.Reset.TokenValidity = time.Duration(p.ResetTokenValidityDuration * float64(time.Second))
	u.Reset.ReuseToken = p.ResetTokenReuseIfValid
	u.Reset.SuccessOnUnknown = p.ResetPasswordSuccessOnInvalidEmail == nil || *p.ResetPasswordSuccessOnInvalidEmail
	return nil
}

// addressee reads from a user's row whom a letter goes to, and with what token.
func addressee(user storage.Object, tokenColumn string) (u mail.User, token string) {
	text := func(column string) string { s, _ := user[column].(string); return s }
	return mail.User{ObjectID: text("objectId"), Username: text("username"), Email: text("email")}, text(tokenColumn)
}

// openPages opens the pages that links in mail lead to.
func openPages(o *config.Options, env Environment, accounts *users.Users) (*pages.Pages, error) {
	return pages.New(pages.Options{
		AppID: o.AppID, AppName: o.AppName, PublicServerURL: o.PublicServerURL,
		PagesEndpoint: o.Pages.PagesEndpoint, PagesPath: o.Pages.PagesPath, CustomURLs: o.Pages.CustomURLs, ForceRedirect: o.Pages.ForceRedirect,
		EnableLocalization: o.Pages.EnableLocalization, LocalizationJSONPath: o.Pages.LocalizationJSONPath,
		LocalizationFallbackLocale: o.Pages.LocalizationFallbackLocale, Placeholders: o.Pages.Placeholders,
		EncodePageParamHeaders: o.Pages.EncodePageParamHeaders, ResendSuccessOnUnknown: o.EmailVerifySuccessOnInvalidEmail,
		Explain: explainReset, Logger: env.Logger,
	}, accounts)
}

// explainReset returns what a user may know of a password that wasn't taken.
func explainReset(err error) (string, bool) {
	if errors.Is(err, users.ErrInvalidReset) || errors.Is(err, users.ErrExpiredReset) {
		return err.Error(), true
	}
	e := parseerror.From(err)
	return e.Message, !e.Internal()
}
