package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestAccountOptionsAreChecked(t *testing.T) {
	const mail = `"appName":"A","publicServerURL":"http://h/parse","emailAdapter":{"module":"smtp"},`
	for _, test := range []struct{ name, file, want string }{
		{"lockout without duration", `{"accountLockout":{}}`, "Account lockout duration should be greater than 0 and less than 100000"},
		{"lockout of no length", `{"accountLockout":{"duration":0,"threshold":1}}`, "Account lockout duration should be greater than 0 and less than 100000"},
		{"lockout for too long", `{"accountLockout":{"duration":100000,"threshold":1}}`, "Account lockout duration should be greater than 0 and less than 100000"},
		{"lockout duration as text", `{"accountLockout":{"duration":"5","threshold":1}}`, "Account lockout duration should be greater than 0 and less than 100000"},
		{"lockout without threshold", `{"accountLockout":{"duration":1}}`, "Account lockout threshold should be an integer greater than 0 and less than 1000"},
		{"lockout after a part", `{"accountLockout":{"duration":1,"threshold":1.5}}`, "Account lockout threshold should be an integer greater than 0 and less than 1000"},
		{"lockout after too many", `{"accountLockout":{"duration":1,"threshold":1000}}`, "Account lockout threshold should be an integer greater than 0 and less than 1000"},
		{"lockout flag", `{"accountLockout":{"duration":1,"threshold":1,"unlockOnPasswordReset":"x"}}`, "Parse Server option accountLockout.unlockOnPasswordReset must be a boolean."},
		{"lockout typo", `{"accountLockout":{"duration":1,"threshold":1,"unlock":true}}`, `error: unknown option accountLockout.unlock; did you mean unlockOnPasswordReset?`},
		{"age", `{"passwordPolicy":{"maxPasswordAge":"1"}}`, "passwordPolicy.maxPasswordAge must be a positive number"},
		{"negative age", `{"passwordPolicy":{"maxPasswordAge":-1}}`, "passwordPolicy.maxPasswordAge must be a positive number"},
		{"reset validity", `{"passwordPolicy":{"resetTokenValidityDuration":0}}`, "passwordPolicy.resetTokenValidityDuration must be a positive number"},
		{"pattern", `{"passwordPolicy":{"validatorPattern":5}}`, "passwordPolicy.validatorPattern must be a regex string or RegExp object."},
		{"pattern that is none", `{"passwordPolicy":{"validatorPattern":"("}}`, "passwordPolicy.validatorPattern must be a regex string or RegExp object."},
		{"callback", `{"passwordPolicy":{"validatorCallback":"x"}}`, "passwordPolicy.validatorCallback must be a function."},
		{"username", `{"passwordPolicy":{"doNotAllowUsername":"x"}}`, "passwordPolicy.doNotAllowUsername must be a boolean value."},
		{"history", `{"passwordPolicy":{"maxPasswordHistory":21}}`, "passwordPolicy.maxPasswordHistory must be an integer ranging 0 - 20"},
		{"reuse", `{"passwordPolicy":{"resetTokenReuseIfValid":"x"}}`, "resetTokenReuseIfValid must be a boolean value"},
		{"reuse for ever", `{"passwordPolicy":{"resetTokenReuseIfValid":true}}`, "You cannot use resetTokenReuseIfValid without resetTokenValidityDuration"},
		{"success", `{"passwordPolicy":{"resetPasswordSuccessOnInvalidEmail":1}}`, "resetPasswordSuccessOnInvalidEmail must be a boolean value"},
		{"no adapter", `{"verifyUserEmails":true}`, "An emailAdapter is required for e-mail verification and password resets."},
		{"no name", `{"verifyUserEmails":true,"emailAdapter":"smtp"}`, "An app name is required for e-mail verification and password resets."},
		{"no public address", `{"verifyUserEmails":true,"emailAdapter":"smtp","appName":"A"}`, "The option publicServerURL is required."},
		{"negative validity", `{` + mail + `"verifyUserEmails":true,"emailVerifyTokenValidityDuration":-1}`, "Email verify token validity duration must be a value greater than 0."},
		{"reuse without validity", `{` + mail + `"verifyUserEmails":true,"emailVerifyTokenReuseIfValid":true}`, "You cannot use emailVerifyTokenReuseIfValid without emailVerifyTokenValidityDuration"},
		{"npm adapter", `{"emailAdapter":{"module":"parse-server-mailgun","options":{"apiKey":"secret"}}}`, `the module "parse-server-mailgun" can't be loaded`},
		{"npm adapter by name", `{"emailAdapter":"@parse/simple-mailgun-adapter"}`, `use "smtp"`},
		{"adapter of another form", `{"emailAdapter":{"class":"x"}}`, `option emailAdapter holds "class"`},
		{"adapter as a number", `{"emailAdapter":5}`, "option emailAdapter must be"},
		{"pages", `{"pages":[]}`, "Parse Server option pages must be an object."},
		{"pages flag", `{"pages":{"forceRedirect":1}}`, "Parse Server option pages.forceRedirect must be a boolean."},
		{"pages text", `{"pages":{"pagesPath":1}}`, "Parse Server option pages.pagesPath must be a string."},
		{"placeholders", `{"pages":{"placeholders":"x"}}`, "Parse Server option pages.placeholders must be an object or a function."},
		{"customUrls", `{"pages":{"customUrls":1}}`, "Parse Server option pages.customUrls must be an object."},
		{"customUrls of another page", `{"pages":{"customUrls":{"x":"http://h"}}}`, "option pages.customUrls.x"},
		{"customUrls without a scheme", `{"pages":{"customUrls":{"passwordReset":"javascript:alert(1)"}}}`, "option pages.customUrls.passwordReset"},
		{"customRoutes", `{"pages":{"customRoutes":{}}}`, "Parse Server option pages.customRoutes must be an array."},
		{"customRoutes with handlers", `{"pages":{"customRoutes":[{"method":"GET"}]}}`, "option pages.customRoutes is not supported"},
		{"endpoint", `{"pages":{"pagesEndpoint":"/"}}`, "option pages.pagesEndpoint must be a path"},
		{"customPages", `{"customPages":[1]}`, "Parse Server option customPages must be an object."},
		{"frame", `{"customPages":{"parseFrameURL":"x"}}`, "option customPages.parseFrameURL must be a URL"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := load(t, []string{"config.json"}, nil, `{"appId":"app","masterKey":"m",`+test.file[1:])
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error = %v, want %q", err, test.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

func TestAccountOptionsAreRead(t *testing.T) {
	env := []string{
		`PARSE_SERVER_ACCOUNT_LOCKOUT={"threshold":3,"duration":0.5,"unlockOnPasswordReset":true}`,
		`PARSE_SERVER_PASSWORD_POLICY={"validatorPattern":"^(?=.*\\d).{8,}$","maxPasswordHistory":5,"maxPasswordAge":30,"resetTokenValidityDuration":60}`,
		"PARSE_SERVER_VERIFY_USER_EMAILS=true", "PARSE_SERVER_APP_NAME=My App", "PARSE_PUBLIC_SERVER_URL=https://h/parse",
		`PARSE_SERVER_EMAIL_ADAPTER={"module":"smtp","options":{"host":"h","password":"hunter2"}}`,
		`PARSE_SERVER_PAGES={"pagesEndpoint":"/seiten/","enableLocalization":true,"customUrls":{"passwordReset":"https://x/y"},"placeholders":{"a":1}}`,
		`PARSE_SERVER_CUSTOM_PAGES={"parseFrameURL":"https://f","invalidLink":"https://x"}`,
	}
	o, warnings, err := load(t, append(required[:len(required):len(required)], "--extendSessionOnUse", "--emailVerifyTokenValidityDuration", "60"), env, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "parseFrameURL") {
		t.Errorf("warnings: %q", warnings)
	}
	for range 2 { // as it is, and after it was handed on to a worker
		switch {
		case *o.AccountLockout != AccountLockout{3, 0.5, true},
			o.PasswordPolicy.ValidatorPattern != `^(?=.*\d).{8,}$`, o.PasswordPolicy.MaxPasswordHistory != 5, o.PasswordPolicy.MaxPasswordAge != 30,
			!o.VerifyUserEmails, !o.SendUserEmailVerification, !o.EmailVerifySuccessOnInvalidEmail, !o.ExtendSessionOnUse, o.EmailVerifyTokenValidityDuration != 60,
			o.EmailAdapter.Module != "smtp", !strings.Contains(string(o.EmailAdapter.Options), "hunter2"),
			o.Pages.PagesEndpoint != "seiten", o.Pages.LocalizationFallbackLocale != "en", o.Pages.CustomURLs["passwordReset"] != "https://x/y",
			o.CustomPages.ParseFrameURL != "https://f":
			t.Fatalf("%+v", o.Accounts)
		}
		if s := fmt.Sprintf("%v %+v %#v %s", o.EmailAdapter, *o.EmailAdapter, o.EmailAdapter, o.EmailAdapter.Options); strings.Contains(s, "hunter2") {
			t.Errorf("a secret is printed: %s", s)
		}
		data, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if o, _, err = FromJSON(data); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{
		`{"accountLockout":null,"passwordPolicy":false,"emailAdapter":null,"customPages":{},"pages":{},"verifyUserEmails":false}`,
		`{"passwordPolicy":{"validatorPattern":"","validatorCallback":null,"doNotAllowUsername":false,"maxPasswordHistory":0,"resetTokenReuseIfValid":false}}`,
	} {
		if _, warnings, err := load(t, []string{"config.json"}, nil, `{"appId":"a","masterKey":"m",`+file[1:]); err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v %v", file, err, warnings)
		}
	}
	code := Default()
	code.AppID, code.MasterKey, code.VerifyUserEmails, code.AppName, code.PublicServerURL = "a", "m", true, "A", "http://h/parse"
	code.MailAdapterInCode = true
	if err := code.Validate(); err != nil {
		t.Errorf("with an adapter in code: %v", err)
	}
}
