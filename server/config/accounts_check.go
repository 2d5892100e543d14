//nolint:revive,staticcheck // the messages are parse-server's, word for word
package config

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/dlclark/regexp2/v2"
)

// checkAccounts makes those of parse-server's checks of Accounts that need to see the values as they came. Options that
// are switched off by null, false, 0 or "" are taken out.
func checkAccounts(values map[string]any) error {
	for _, name := range []string{"accountLockout", "passwordPolicy", "customPages", "emailAdapter"} {
		if v, ok := values[name]; ok && (v == nil || v == false || v == "" || v == 0.0) {
			delete(values, name)
		}
	}
	for name, check := range map[string]func(map[string]any) error{
		"accountLockout": checkLockout, "passwordPolicy": checkPasswordPolicy, "pages": checkPages, "customPages": checkCustomPages,
	} {
		v, ok := values[name]
		if !ok {
			continue
		}
		m, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("Parse Server option %s must be an object.", name)
		}
		if err := check(m); err != nil {
			return err
		}
	}
	v, ok := values["emailAdapter"]
	if !ok {
		return nil
	}
	adapter, err := emailAdapter(v)
	if err == nil {
		values["emailAdapter"] = adapter
	}
	return err
}

// emailAdapter brings the forms of an adapter, a name alone or {module, options}, into the second one.
func emailAdapter(v any) (map[string]any, error) {
	m := map[string]any{}
	switch v := v.(type) {
	case string:
		m["module"] = v
	case map[string]any:
		for name := range v {
			if name != "module" && name != "options" {
				return nil, fmt.Errorf("option emailAdapter holds %q; it must be {\"module\":…,\"options\":{…}}", name)
			}
		}
		m = v
	default:
		return nil, errors.New("option emailAdapter must be the name of a module, or {\"module\":…,\"options\":{…}}")
	}
	switch module, _ := m["module"].(string); module {
	case "smtp", "file":
		return m, nil
	default:
		return nil, fmt.Errorf("option emailAdapter: the module %q can't be loaded, because this server doesn't run npm modules; use \"smtp\" with the address of a mail server (the services that npm adapters are for all have one), or \"file\" to write mail to a file", module)
	}
}

func checkLockout(m map[string]any) error {
	if d, ok := m["duration"].(float64); !ok || d <= 0 || d > 99999 {
		return errors.New("Account lockout duration should be greater than 0 and less than 100000")
	}
	if n, ok := m["threshold"].(float64); !ok || n != math.Trunc(n) || n < 1 || n > 999 {
		return errors.New("Account lockout threshold should be an integer greater than 0 and less than 1000")
	}
	if v, ok := m["unlockOnPasswordReset"]; ok && !isBool(v) {
		return errors.New("Parse Server option accountLockout.unlockOnPasswordReset must be a boolean.")
	}
	return nil
}

func isBool(v any) bool { _, ok := v.(bool); return ok }

// off reports whether JavaScript takes a value for false.
func off(v any) bool { return v == nil || v == false || v == 0.0 || v == "" }

func checkPasswordPolicy(m map[string]any) error {
	number := func(name string) (float64, bool) {
		v, there := m[name]
		n, ok := v.(float64)
		return n, !there || ok
	}
	if n, ok := number("maxPasswordAge"); !ok || n < 0 {
		return errors.New("passwordPolicy.maxPasswordAge must be a positive number")
	}
	if n, ok := number("resetTokenValidityDuration"); !ok || n < 0 || n == 0 && m["resetTokenValidityDuration"] != nil {
		return errors.New("passwordPolicy.resetTokenValidityDuration must be a positive number")
	}
	switch pattern := m["validatorPattern"].(type) {
	case string:
		if _, err := regexp2.Compile(pattern, regexp2.ECMAScript); err != nil {
			return errors.New("passwordPolicy.validatorPattern must be a regex string or RegExp object.")
		}
	default:
		if !off(pattern) {
			return errors.New("passwordPolicy.validatorPattern must be a regex string or RegExp object.")
		}
		delete(m, "validatorPattern")
	}
	if !off(m["validatorCallback"]) {
		return errors.New("passwordPolicy.validatorCallback must be a function.")
	}
	delete(m, "validatorCallback")
	if v := m["doNotAllowUsername"]; !off(v) && !isBool(v) {
		return errors.New("passwordPolicy.doNotAllowUsername must be a boolean value.")
	}
	if v := m["maxPasswordHistory"]; !off(v) {
		if n, ok := v.(float64); !ok || n != math.Trunc(n) || n <= 0 || n > 20 {
			return errors.New("passwordPolicy.maxPasswordHistory must be an integer ranging 0 - 20")
		}
	}
	reuse := m["resetTokenReuseIfValid"]
	if !off(reuse) && !isBool(reuse) {
		return errors.New("resetTokenReuseIfValid must be a boolean value")
	}
	if !off(reuse) && off(m["resetTokenValidityDuration"]) {
		return errors.New("You cannot use resetTokenReuseIfValid without resetTokenValidityDuration")
	}
	if v, ok := m["resetPasswordSuccessOnInvalidEmail"]; !ok {
		m["resetPasswordSuccessOnInvalidEmail"] = true
	} else if !isBool(v) {
		return errors.New("resetPasswordSuccessOnInvalidEmail must be a boolean value")
	}
	for _, name := range []string{"doNotAllowUsername", "maxPasswordHistory", "resetTokenReuseIfValid"} {
		if off(m[name]) {
			delete(m, name)
		}
	}
	return nil
}

// pageNames are the pages that pages.customUrls may name.
var pageNames = []string{
	"passwordReset", "passwordResetSuccess", "passwordResetLinkInvalid", "emailVerificationSuccess", "emailVerificationSendFail",
	"emailVerificationSendSuccess", "emailVerificationLinkInvalid", "emailVerificationLinkExpired",
}

func checkPages(m map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		v := m[name]
		_, isText := v.(string)
		object, isObject := v.(map[string]any)
		list, isList := v.([]any)
		switch name {
		case "enableLocalization", "forceRedirect", "encodePageParamHeaders":
			if !isBool(v) {
				return fmt.Errorf("Parse Server option pages.%s must be a boolean.", name)
			}
		case "localizationJsonPath", "localizationFallbackLocale", "pagesPath", "pagesEndpoint":
			if !isText {
				return fmt.Errorf("Parse Server option pages.%s must be a string.", name)
			}
		case "placeholders":
			if !isObject {
				return errors.New("Parse Server option pages.placeholders must be an object or a function.")
			}
		case "customUrls":
			if !isObject {
				return errors.New("Parse Server option pages.customUrls must be an object.")
			}
			for page, to := range object {
				s, ok := to.(string)
				if !slices.Contains(pageNames, page) || !ok || s != "" && !isHTTP(s) {
					return fmt.Errorf("option pages.customUrls.%s must be the URL of one of the pages", page)
				}
			}
		case "customRoutes":
			if !isList {
				return errors.New("Parse Server option pages.customRoutes must be an array.")
			}
			if len(list) > 0 {
				return errors.New("option pages.customRoutes is not supported by this server: its handlers are functions")
			}
		}
	}
	return nil
}

func checkCustomPages(m map[string]any) error {
	for name, v := range m {
		if off(v) {
			delete(m, name)
		} else if s, ok := v.(string); name == "parseFrameURL" && (!ok || !isHTTP(s)) {
			return errors.New("option customPages.parseFrameURL must be a URL")
		}
	}
	return nil
}

// validateEmail makes the checks of parse-server for servers that send mail by themselves. For password resets that are
// asked for, it makes them when they are.
func (o *Options) validateEmail() error {
	if strings.Trim(o.Pages.PagesEndpoint, "/") == "" {
		return errors.New("option pages.pagesEndpoint must be a path")
	}
	o.Pages.PagesEndpoint = strings.Trim(o.Pages.PagesEndpoint, "/")
	if !o.VerifyUserEmails {
		return nil
	}
	return o.EmailConfigured()
}

// EmailConfigured reports what is missing or wrong for sending mail with links.
func (o *Options) EmailConfigured() error {
	switch {
	case o.EmailAdapter == nil && !o.MailAdapterInCode:
		return errors.New("An emailAdapter is required for e-mail verification and password resets.")
	case o.AppName == "":
		return errors.New("An app name is required for e-mail verification and password resets.")
	case o.PublicServerURL == "":
		return errors.New("The option publicServerURL is required.")
	case o.EmailVerifyTokenValidityDuration < 0:
		return errors.New("Email verify token validity duration must be a value greater than 0.")
	case o.EmailVerifyTokenReuseIfValid && o.EmailVerifyTokenValidityDuration == 0:
		return errors.New("You cannot use emailVerifyTokenReuseIfValid without emailVerifyTokenValidityDuration")
	}
	return nil
}
