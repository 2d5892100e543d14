package mail

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// Options say what a Postman does.
type Options struct {
	// AppName is what letters call the app.
	AppName string
	// PublicServerURL is the API's address as users' browsers know it, and PagesURL that of the app's pages.
	PublicServerURL, PagesURL string
	// FrameURL is a page of the site's that shows the pages; links then lead to it. Default: none.
	FrameURL string
	// Texts are the texts of letters. Default: DefaultTexts.
	Texts Texts
	// Queue is how many letters may wait; what comes then is lost, and logged. Default: 1000.
	Queue int
	// Attempts is how often a letter is tried. Default: 4.
	Attempts int
	// Pause is the time before the second attempt; it grows fivefold from one to the next. Default: 2 s.
	Pause time.Duration
	// Logger gets failures, without addresses and links; nil: slog.Default.
	Logger *slog.Logger
}

// carriers is how many letters are on their way at a time.
const carriers = 4

// Postman takes letters and sees to it that they are sent. It is safe for concurrent use.
type Postman struct {
	o       Options
	adapter Adapter
	letters chan errand
	stop    context.CancelFunc
	done    sync.WaitGroup

	mu     sync.RWMutex
	closed bool
}

// errand is one letter to be sent.
type errand struct {
	kind string // for the log
	Letter
	send func(ctx context.Context, l Letter) error
}

// NewPostman returns a Postman who works until Close.
func NewPostman(a Adapter, o Options) *Postman {
	if o.Texts == (Texts{}) {
		o.Texts = DefaultTexts()
	}
	if o.Queue <= 0 {
		o.Queue = 1000
	}
	if o.Attempts <= 0 {
		o.Attempts = 4
	}
	if o.Pause <= 0 {
		o.Pause = 2 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Postman{o: o, adapter: a, letters: make(chan errand, o.Queue), stop: stop}
	for range carriers {
		p.done.Go(func() {
			for e := range p.letters {
				p.carry(ctx, e)
			}
		})
	}
	return p
}

// Close takes no more letters, and waits for those that were taken, or for the context; what is left then is lost.
func (p *Postman) Close(ctx context.Context) {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.letters)
	}
	p.mu.Unlock()
	idle := make(chan struct{})
	go func() {
		p.done.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-ctx.Done():
	}
	p.stop()
	<-idle
}

// Verification sends a user the link to verify the address. It doesn't wait.
func (p *Postman) Verification(u User, token string) {
	e := errand{kind: "verification", Letter: Letter{AppName: p.o.AppName, Link: p.link("verify_email", token), User: u}}
	e.send = func(ctx context.Context, l Letter) error {
		if a, ok := p.adapter.(VerificationSender); ok {
			return a.SendVerificationEmail(ctx, l)
		}
		m, err := p.o.Texts.verification(l)
		if err != nil {
			return err
		}
		return p.adapter.SendMail(ctx, m)
	}
	p.take(e)
}

// PasswordReset sends a user the link to reset the password. It doesn't wait.
func (p *Postman) PasswordReset(u User, token string) {
	e := errand{kind: "password reset", Letter: Letter{AppName: p.o.AppName, Link: p.link("request_password_reset", token), User: u}}
	e.send = func(ctx context.Context, l Letter) error {
		if a, ok := p.adapter.(PasswordResetSender); ok {
			return a.SendPasswordResetEmail(ctx, l)
		}
		m, err := p.o.Texts.passwordReset(l)
		if err != nil {
			return err
		}
		return p.adapter.SendMail(ctx, m)
	}
	p.take(e)
}

// link is the address of a page with a token, in the site's frame if it has one.
func (p *Postman) link(page, token string) string {
	to := p.o.PagesURL + "/" + page
	token = "token=" + url.QueryEscape(token)
	if p.o.FrameURL == "" {
		return to + "?" + token
	}
	path := strings.TrimPrefix(to, p.o.PublicServerURL)
	return p.o.FrameURL + "?link=" + url.QueryEscape(path) + "&" + token
}

func (p *Postman) take(e errand) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		p.o.Logger.Error("a mail is lost: the server is stopping", "kind", e.kind, "user", e.User.ObjectID)
		return
	}
	select {
	case p.letters <- e:
	default:
		p.o.Logger.Error("a mail is lost: too many wait to be sent", "kind", e.kind, "user", e.User.ObjectID)
	}
}

// carry tries to send a letter until it is sent, or there is no hope.
func (p *Postman) carry(ctx context.Context, e errand) {
	pause := p.o.Pause
	for attempt := 1; ; attempt++ {
		err := p.attempt(ctx, e)
		if err == nil {
			return
		}
		last := attempt == p.o.Attempts || errors.Is(err, ErrPermanent) || ctx.Err() != nil
		p.o.Logger.Error("cannot send a mail", "kind", e.kind, "user", e.User.ObjectID, "attempt", attempt, "lost", last, "error", e.redact(err))
		if last {
			return
		}
		select {
		case <-time.After(pause):
			pause *= 5
		case <-ctx.Done():
		}
	}
}

// attempt sends a letter once. Adapters are others' code: one that panics loses its letter only.
func (p *Postman) attempt(ctx context.Context, e errand) (err error) {
	defer func() {
		if v := recover(); v != nil {
			p.o.Logger.Error("a mail adapter panicked", "kind", e.kind)
			err = ErrPermanent
		}
	}()
	return e.send(ctx, e.Letter)
}

// redact words an error for the log without what only the user may know.
func (e *errand) redact(err error) string {
	text := err.Error()
	_, token, _ := strings.Cut(e.Link, "token=")
	for _, secret := range []string{e.Link, token} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, redacted)
		}
	}
	return redactWord(redactWord(text, e.User.Email), e.User.Username)
}

const redacted = "redacted"

// redactWord replaces a word, but not where it is part of another one: a user may be called "ann", which "cannot" isn't about.
func redactWord(text, word string) string {
	if word == "" {
		return text
	}
	var out strings.Builder
	for rest := text; ; {
		before, after, found := strings.Cut(rest, word)
		out.WriteString(before)
		if !found {
			return out.String()
		}
		last, _ := utf8.DecodeLastRuneInString(text[:len(text)-len(rest)+len(before)])
		next, _ := utf8.DecodeRuneInString(after)
		if ofWord(last) || ofWord(next) {
			out.WriteString(word)
		} else {
			out.WriteString(redacted)
		}
		rest = after
	}
}

func ofWord(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }
