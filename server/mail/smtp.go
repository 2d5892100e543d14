package mail

import (
	"context"
	"errors"
	"fmt"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// SMTPOptions say how to reach a mail server.
type SMTPOptions struct {
	// Host is the server's name. Required.
	Host string `json:"host"`
	// Port is its port. Default: 587, or 465 for TLS "tls", or 25 for "none".
	Port int `json:"port"`
	// TLS is "starttls", which asks for encryption and insists on it, "tls", which starts with it, "opportunistic",
	// which does without where the server can't, or "none". Default: starttls.
	TLS string `json:"tls"`
	// Username and Password log in; the way is the best that the server offers. Default: no log-in.
	Username string `json:"username"`
	Password string `json:"password"`
	// From is the sender's address, with or without a name. Required.
	From string `json:"from"`
	// ReplyTo is where answers go. Default: to the sender.
	ReplyTo string `json:"replyTo"`
	// TimeoutSeconds bounds a conversation with the server, in seconds. Default: 30.
	TimeoutSeconds int `json:"timeoutSeconds"`
}

func defaultSMTP() SMTPOptions { return SMTPOptions{TLS: "starttls", TimeoutSeconds: 30} }

// SMTP sends mail through a server. It is safe for concurrent use.
type SMTP struct {
	o       SMTPOptions
	dial    []gomail.Option
	timeout time.Duration
}

// NewSMTP checks the options. The server is first asked when there is mail.
func NewSMTP(o SMTPOptions) (*SMTP, error) {
	s := &SMTP{o: o, timeout: time.Duration(o.TimeoutSeconds) * time.Second}
	if o.Host == "" || o.From == "" {
		return nil, errors.New("its options host and from are required")
	}
	if o.TimeoutSeconds <= 0 {
		return nil, errors.New("its option timeoutSeconds must be greater than 0")
	}
	port := 587
	switch o.TLS {
	case "starttls":
		s.dial = append(s.dial, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case "tls":
		s.dial, port = append(s.dial, gomail.WithSSL()), 465
	case "opportunistic":
		s.dial = append(s.dial, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	case "none":
		s.dial, port = append(s.dial, gomail.WithTLSPolicy(gomail.NoTLS)), 25
	default:
		return nil, errors.New(`its option tls must be "starttls", "tls", "opportunistic" or "none"`)
	}
	if o.Port != 0 {
		port = o.Port
	}
	s.dial = append(s.dial, gomail.WithPort(port), gomail.WithTimeout(s.timeout))
	if o.Username != "" {
		s.dial = append(s.dial, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(o.Username), gomail.WithPassword(o.Password))
	}
	if _, err := gomail.NewClient(o.Host, s.dial...); err != nil {
		return nil, fmt.Errorf("its options: %w", err)
	}
	_, err := s.mail(Message{To: "nobody@example.com"})
	return s, err
}

// SendMail implements Adapter.
func (s *SMTP) SendMail(ctx context.Context, m Message) error {
	msg, err := s.mail(m)
	if err != nil {
		return err
	}
	// A client holds one conversation, so each mail has its own.
	client, err := gomail.NewClient(s.o.Host, s.dial...)
	if err != nil {
		return fmt.Errorf("cannot talk to the mail server: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := client.DialAndSendWithContext(ctx, msg); err != nil {
		var refused *gomail.SendError
		if errors.As(err, &refused) && !refused.IsTemp() && refused.ErrorCode() >= 500 {
			return fmt.Errorf("%w: the mail server answers %d", ErrPermanent, refused.ErrorCode())
		}
		return fmt.Errorf("cannot hand a mail to the mail server: %w", err)
	}
	return nil
}

// mail makes the message to send.
func (s *SMTP) mail(m Message) (*gomail.Msg, error) {
	msg := gomail.NewMsg()
	if err := msg.From(s.o.From); err != nil {
		return nil, errors.New("its option from is not an address")
	}
	if s.o.ReplyTo != "" {
		if err := msg.ReplyTo(s.o.ReplyTo); err != nil {
			return nil, errors.New("its option replyTo is not an address")
		}
	}
	if err := msg.To(m.To); err != nil {
		return nil, fmt.Errorf("%w: the address is none", ErrPermanent)
	}
	msg.Subject(m.Subject)
	msg.SetDate()
	msg.SetMessageID()
	// Nobody's vacation notice should go to the site.
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	return msg, nil
}
