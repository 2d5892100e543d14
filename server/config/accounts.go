package config

// Accounts are the options of users' accounts, and of the mail and the pages that go with them.
type Accounts struct {
	// AppName is what mail and pages call the app. Required for both.
	AppName string `json:"appName,omitempty"`
	// ExtendSessionOnUse gives a session its full length again when it is used after half of it. Default: false.
	ExtendSessionOnUse bool `json:"extendSessionOnUse"`
	// VerifyUserEmails sends users a link to prove that an address is theirs. Default: false.
	VerifyUserEmails bool `json:"verifyUserEmails"`
	// PreventLoginWithUnverifiedEmail refuses log-ins until the address is verified. Default: false.
	PreventLoginWithUnverifiedEmail bool `json:"preventLoginWithUnverifiedEmail"`
	// PreventSignupWithUnverifiedEmail answers such a sign-up with an error, although the user is kept. Default: false.
	PreventSignupWithUnverifiedEmail bool `json:"preventSignupWithUnverifiedEmail"`
	// SendUserEmailVerification: switched off, tokens are made but no mail is sent. Default: true.
	SendUserEmailVerification bool `json:"sendUserEmailVerification"`
	// EmailVerifyTokenValidityDuration is how long a link to verify an address works, in seconds. Default: 0, for ever.
	EmailVerifyTokenValidityDuration int `json:"emailVerifyTokenValidityDuration,omitempty"`
	// EmailVerifyTokenReuseIfValid sends the same link again as long as it works. Default: false.
	EmailVerifyTokenReuseIfValid bool `json:"emailVerifyTokenReuseIfValid"`
	// EmailVerifySuccessOnInvalidEmail answers requests for a link alike, whether or not there is such an address.
	// Default: true.
	EmailVerifySuccessOnInvalidEmail bool `json:"emailVerifySuccessOnInvalidEmail"`
	// EmailAdapter says how mail is sent. Default: it isn't.
	EmailAdapter *EmailAdapter `json:"emailAdapter,omitempty"`
	// MailAdapterInCode says that the program around the worker brings a mail adapter of its own, so that none need
	// be configured. Not read from JSON. Default: false.
	MailAdapterInCode bool `json:"-"`
	// AccountLockout locks an account after failed log-ins. Default: it doesn't.
	AccountLockout *AccountLockout `json:"accountLockout,omitempty"`
	// PasswordPolicy says what a password must be. Default: anything goes.
	PasswordPolicy *PasswordPolicy `json:"passwordPolicy,omitempty"`
	// Pages are the pages that links in mail lead to.
	Pages Pages `json:"pages"`
	// CustomPages are an older form of Pages.
	CustomPages CustomPages `json:"customPages"`
}

// EmailAdapter names a way to send mail, with its own options.
type EmailAdapter struct {
	// Module is "smtp", which sends, or "file", which appends mail to a file for development. Required.
	Module string `json:"module"`
	// Options are the module's; package mail knows them. They may hold a password.
	Options SecretJSON `json:"options,omitempty"`
}

// AccountLockout holds accountLockout.
type AccountLockout struct {
	// Threshold is how many failed log-ins lock an account, 1 to 999. Required.
	Threshold int `json:"threshold"`
	// Duration is how long it stays locked, in minutes, at most 99999. Required.
	Duration float64 `json:"duration"`
	// UnlockOnPasswordReset unlocks an account when its password is reset by mail. Default: false.
	UnlockOnPasswordReset bool `json:"unlockOnPasswordReset"`
}

// PasswordPolicy holds passwordPolicy. The hook validatorCallback can't come from a configuration; a program around the
// worker passes it as server.Environment.ValidPassword.
type PasswordPolicy struct {
	// ValidatorPattern is a regular expression, JavaScript's, that a password must match. Default: none.
	ValidatorPattern string `json:"validatorPattern,omitempty"`
	// ValidationError is what clients are told of a password that isn't valid. Default: a general sentence.
	ValidationError string `json:"validationError,omitempty"`
	// DoNotAllowUsername refuses passwords that hold the username. Default: false.
	DoNotAllowUsername bool `json:"doNotAllowUsername"`
	// MaxPasswordAge is after how many days a password no longer logs in; 0: never. Default: 0.
	MaxPasswordAge float64 `json:"maxPasswordAge,omitempty"`
	// MaxPasswordHistory is how many passwords, the present one included, may not be taken again, up to 20. Default: 0.
	MaxPasswordHistory int `json:"maxPasswordHistory,omitempty"`
	// ResetTokenValidityDuration is how long a link to reset a password works, in seconds; 0: for ever. Default: 0.
	ResetTokenValidityDuration float64 `json:"resetTokenValidityDuration,omitempty"`
	// ResetTokenReuseIfValid sends the same link again as long as it works. Default: false.
	ResetTokenReuseIfValid bool `json:"resetTokenReuseIfValid"`
	// ResetPasswordSuccessOnInvalidEmail answers requests for a link alike, whether or not there is such an address.
	// Default: true.
	ResetPasswordSuccessOnInvalidEmail *bool `json:"resetPasswordSuccessOnInvalidEmail,omitempty"`
}

// Pages holds pages.
type Pages struct {
	// PagesEndpoint is the path of the pages below the mount path. Default: apps.
	PagesEndpoint string `json:"pagesEndpoint,omitempty"`
	// PagesPath is a folder with pages that take the place of the bundled ones. Default: none.
	PagesPath string `json:"pagesPath,omitempty"`
	// CustomURLs are addresses elsewhere to redirect to instead of showing a page, by the page's name. Default: none.
	CustomURLs map[string]string `json:"customUrls,omitempty"`
	// ForceRedirect redirects to a page's own address instead of answering with the page. Default: false.
	ForceRedirect bool `json:"forceRedirect"`
	// EnableLocalization serves pages in the language that a request asks for, if there are such. Default: false.
	EnableLocalization bool `json:"enableLocalization"`
	// LocalizationJSONPath is a file of translated texts for placeholders in pages. Default: none.
	LocalizationJSONPath string `json:"localizationJsonPath,omitempty"`
	// LocalizationFallbackLocale is the language of those texts where there is no better one. Default: en.
	LocalizationFallbackLocale string `json:"localizationFallbackLocale,omitempty"`
	// Placeholders are values for placeholders in pages. Default: none.
	Placeholders map[string]any `json:"placeholders,omitempty"`
	// EncodePageParamHeaders escapes the header fields that repeat a page's parameters. Default: false.
	EncodePageParamHeaders bool `json:"encodePageParamHeaders"`
	// CustomRoutes is accepted only when it is empty: its handlers are functions.
	CustomRoutes []struct{} `json:"customRoutes,omitempty"`
}

// CustomPages holds customPages, of which parse-server 9 reads one.
type CustomPages struct {
	// ParseFrameURL is a page elsewhere that shows the pages; links in mail lead to it. Default: none.
	ParseFrameURL string `json:"parseFrameURL,omitempty"`
}

// defaultAccounts returns parse-server's defaults.
func defaultAccounts() Accounts {
	return Accounts{
		SendUserEmailVerification:        true,
		EmailVerifySuccessOnInvalidEmail: true,
		Pages:                            Pages{PagesEndpoint: "apps", LocalizationFallbackLocale: "en"},
	}
}
