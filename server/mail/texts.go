package mail

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/cbroglie/mustache"
)

// Texts are the subjects and bodies of letters. They are Mustache templates, of appName, link, username and email; in
// HTML values are escaped. An HTML body of "" is left out.
type Texts struct {
	VerificationEmailSubject string `json:"verificationEmailSubject"`
	VerificationEmailText    string `json:"verificationEmailText"`
	VerificationEmailHTML    string `json:"verificationEmailHtml"`

	PasswordResetEmailSubject string `json:"passwordResetEmailSubject"`
	PasswordResetEmailText    string `json:"passwordResetEmailText"`
	PasswordResetEmailHTML    string `json:"passwordResetEmailHtml"`
}

// DefaultTexts returns the texts of sites that choose none.
func DefaultTexts() Texts {
	return Texts{
		VerificationEmailSubject: "{{appName}}: is this your address?",
		VerificationEmailText: `Hello,

somebody has signed up to {{appName}} with the address {{email}}.
If it was you, open this link to confirm that the address is yours:

{{link}}

If it wasn't you, there is nothing to do.
`,
		PasswordResetEmailSubject: "{{appName}}: a new password",
		PasswordResetEmailText: `Hello,

somebody has asked for a new password for your account at {{appName}}{{#username}}, {{username}}{{/username}}.
If it was you, open this link to choose one:

{{link}}

If it wasn't you, there is nothing to do: your password stays as it is.
`,
	}
}

// check parses all texts.
func (t *Texts) check() error {
	for name, text := range map[string]string{
		"verificationEmailSubject": t.VerificationEmailSubject, "verificationEmailText": t.VerificationEmailText,
		"verificationEmailHtml": t.VerificationEmailHTML, "passwordResetEmailSubject": t.PasswordResetEmailSubject,
		"passwordResetEmailText": t.PasswordResetEmailText, "passwordResetEmailHtml": t.PasswordResetEmailHTML,
	} {
		if _, err := mustache.ParseStringPartials(text, noPartials{}); err != nil {
			return fmt.Errorf("its option %s is not a template: %w", name, err)
		}
	}
	return nil
}

// noPartials has no templates that others could include.
type noPartials struct{}

// Get implements mustache.PartialProvider.
func (noPartials) Get(string) (string, error) { return "", nil }

func (t *Texts) verification(l Letter) (Message, error) {
	return l.message(t.VerificationEmailSubject, t.VerificationEmailText, t.VerificationEmailHTML)
}

func (t *Texts) passwordReset(l Letter) (Message, error) {
	return l.message(t.PasswordResetEmailSubject, t.PasswordResetEmailText, t.PasswordResetEmailHTML)
}

// message fills in the templates.
func (l Letter) message(subject, text, html string) (m Message, err error) {
	values := map[string]string{"appName": l.AppName, "link": l.Link, "username": l.User.Username, "email": l.User.Email}
	m.To = l.User.address()
	if m.Subject, err = mustache.RenderPartialsRaw(subject, noPartials{}, true, values); err != nil {
		return m, fmt.Errorf("cannot word a mail: %w", err)
	}
	m.Subject = oneLine(m.Subject)
	if m.Text, err = mustache.RenderPartialsRaw(text, noPartials{}, true, values); err != nil {
		return m, fmt.Errorf("cannot word a mail: %w", err)
	}
	if html != "" {
		if m.HTML, err = mustache.RenderPartials(html, noPartials{}, values); err != nil {
			return m, fmt.Errorf("cannot word a mail: %w", err)
		}
	}
	return m, nil
}

// oneLine drops what doesn't belong in a header field.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
}
