package mail

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Message is one mail.
type Message struct {
	// To is the address of the one recipient.
	To      string
	Subject string
	// Text is the body as plain text.
	Text string
	// HTML is the body as HTML; "" for none.
	HTML string
}

// Adapter sends mail, as parse-server's MailAdapter does. A failure that another try wouldn't mend wraps ErrPermanent.
type Adapter interface {
	SendMail(ctx context.Context, m Message) error
}

// VerificationSender is an Adapter that words the mail to verify an address itself.
type VerificationSender interface {
	SendVerificationEmail(ctx context.Context, l Letter) error
}

// PasswordResetSender is an Adapter that words the mail to reset a password itself.
type PasswordResetSender interface {
	SendPasswordResetEmail(ctx context.Context, l Letter) error
}

// Letter is what a mail with a link is made of.
type Letter struct {
	// AppName is what users know the app by.
	AppName string
	// Link is the address that the mail leads to. It is a secret of the user's.
	Link string
	User User
}

// User is whom a letter goes to.
type User struct {
	ObjectID, Username, Email string
}

// address is where a letter to the user goes: to the name if there is no address, for that may be one.
func (u User) address() string {
	if u.Email != "" {
		return u.Email
	}
	return u.Username
}

// ErrPermanent: a mail can't be sent, now or later; compare with errors.Is.
var ErrPermanent = errors.New("the mail can't be delivered")

// Open makes the adapter of a name, "smtp" or "file", from its options in JSON, and the texts they ask for.
func Open(module string, options []byte) (Adapter, Texts, error) {
	texts := DefaultTexts()
	var adapter Adapter
	var err error
	switch module {
	case "smtp":
		o := struct {
			SMTPOptions
			*Texts
		}{defaultSMTP(), &texts}
		if err = decode(options, &o); err == nil {
			adapter, err = NewSMTP(o.SMTPOptions)
		}
	case "file":
		o := struct {
			FileOptions
			*Texts
		}{FileOptions{Path: "mail.log"}, &texts}
		if err = decode(options, &o); err == nil {
			adapter, err = NewFile(o.FileOptions)
		}
	default:
		err = fmt.Errorf("there is no module %q", module)
	}
	if err == nil {
		err = texts.check()
	}
	if err != nil {
		return nil, texts, fmt.Errorf("cannot use the emailAdapter: %w", err)
	}
	return adapter, texts, nil
}

// decode reads options. Its errors never repeat a value: it may be a password.
func decode(options []byte, to any) error {
	if len(bytes.TrimSpace(options)) == 0 || string(bytes.TrimSpace(options)) == "null" {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(options))
	dec.DisallowUnknownFields()
	err := dec.Decode(to)
	var t *json.UnmarshalTypeError
	switch {
	case err == nil && dec.More():
		return errors.New("its options are not one JSON object")
	case err == nil:
		return nil
	case errors.As(err, &t):
		name := t.Field[strings.LastIndexByte(t.Field, '.')+1:]
		return fmt.Errorf("its option %s must be of type %s, not %s", name, t.Type, t.Value)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("its options are not valid JSON")
	}
	return fmt.Errorf("its options: %w", err)
}
