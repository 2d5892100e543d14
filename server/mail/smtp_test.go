package mail

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	gomail "github.com/wneessen/go-mail"
)

// server is a mail server that really listens, and keeps what it gets.
type server struct {
	mu       sync.Mutex
	got      []string // whole messages
	from, to []string
	logIns   []string
	refuse   []error // what it answers to the next recipients, instead of taking them
	port     int
	roots    *x509.CertPool
}

// newServer starts a mail server on loopback, with or without STARTTLS.
func newServer(t *testing.T, encrypts bool) *server {
	t.Helper()
	s := &server{}
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &conversation{server: s}, nil }))
	srv.Domain, srv.AllowInsecureAuth, srv.ErrorLog = "localhost", true, silent{}
	if encrypts {
		var cert tls.Certificate
		cert, s.roots = selfSigned(t)
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = l.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // a TCP listener
	go srv.Serve(l)                       //nolint:errcheck // ends with the test
	t.Cleanup(func() { _ = srv.Close() })
	return s
}

type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

type conversation struct {
	*server
	from, to string
}

func (c *conversation) AuthMechanisms() []string { return []string{sasl.Plain} }

func (c *conversation) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.logIns = append(c.logIns, username+":"+password)
		return nil
	}), nil
}

func (c *conversation) Reset()        {}
func (c *conversation) Logout() error { return nil }
func (c *conversation) Mail(from string, _ *smtp.MailOptions) error {
	c.from = from
	return nil
}

func (c *conversation) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.to = to
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.refuse) == 0 {
		return nil
	}
	err := c.refuse[0]
	c.refuse = c.refuse[1:]
	return err
}

func (c *conversation) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got, c.server.from, c.server.to = append(c.got, string(data)), append(c.server.from, c.from), append(c.server.to, c.to)
	return err
}

func (s *server) received() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.got)
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// client returns the adapter for a server.
func (s *server) client(t *testing.T, change func(*SMTPOptions)) *SMTP {
	t.Helper()
	o := defaultSMTP()
	o.Host, o.Port, o.From = "127.0.0.1", s.port, "Shop <shop@x.io>"
	if s.roots == nil {
		o.TLS = "none"
	}
	if change != nil {
		change(&o)
	}
	a, err := NewSMTP(o)
	if err != nil {
		t.Fatal(err)
	}
	if s.roots != nil {
		// The test's authority isn't the machine's.
		a.dial = append(a.dial, gomail.WithTLSConfig(&tls.Config{RootCAs: s.roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}))
	}
	return a
}

func TestSMTPSends(t *testing.T) {
	s := newServer(t, true)
	a := s.client(t, func(o *SMTPOptions) { o.Username, o.Password, o.ReplyTo = "shop", "hunter2", "help@x.io" })
	err := a.SendMail(t.Context(), Message{To: "ann@x.io", Subject: "Grüße\r\nBcc: eve@x.io", Text: "Hello\n.\nann", HTML: "<p>Hello</p>"})
	if err != nil {
		t.Fatal(err)
	}
	if s.received() != 1 || s.from[0] != "shop@x.io" || s.to[0] != "ann@x.io" || s.logIns[0] != "shop:hunter2" {
		t.Fatalf("from %v to %v by %v", s.from, s.to, s.logIns)
	}
	m, err := mail.ReadMessage(strings.NewReader(s.got[0]))
	if err != nil {
		t.Fatal(err)
	}
	h := m.Header
	if h.Get("Bcc") != "" {
		t.Error("a subject makes header fields")
	}
	if h.Get("To") != "<ann@x.io>" || h.Get("From") != `"Shop" <shop@x.io>` || h.Get("Reply-To") != "<help@x.io>" || h.Get("Auto-Submitted") != "auto-generated" ||
		h.Get("Date") == "" || h.Get("Message-Id") == "" || !strings.HasPrefix(h.Get("Content-Type"), "multipart/alternative") {
		t.Errorf("header: %v", h)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil || !bytes.Contains(body, []byte("Hello\r\n.\r\nann")) || !bytes.Contains(body, []byte("<p>Hello</p>")) {
		t.Errorf("body: %s %v", body, err)
	}
}

func TestSMTPInsistsOnEncryption(t *testing.T) {
	s := newServer(t, false)
	a := s.client(t, func(o *SMTPOptions) { o.TLS, o.Username, o.Password = "starttls", "shop", "hunter2" })
	if err := a.SendMail(t.Context(), Message{To: "ann@x.io"}); err == nil || errors.Is(err, ErrPermanent) {
		t.Errorf("a server without STARTTLS: %v", err)
	}
	if s.received() != 0 || len(s.logIns) != 0 {
		t.Error("something was sent in the clear")
	}
	// Whoever's certificate isn't trusted gets nothing either.
	s = newServer(t, true)
	a = s.client(t, func(o *SMTPOptions) { o.Username, o.Password = "shop", "hunter2" })
	a.dial = a.dial[:len(a.dial)-1]
	if err := a.SendMail(t.Context(), Message{To: "ann@x.io"}); err == nil || len(s.logIns) != 0 || s.received() != 0 {
		t.Errorf("a server that nobody vouches for: %v", err)
	}
}

func TestSMTPTellsFailuresApart(t *testing.T) {
	s := newServer(t, false)
	a := s.client(t, nil)
	for _, tt := range []struct {
		name      string
		answer    error
		permanent bool
	}{
		{"later", &smtp.SMTPError{Code: 451, Message: "try again"}, false},
		{"never", &smtp.SMTPError{Code: 550, Message: "no such user ann@x.io"}, true},
	} {
		s.refuse = []error{tt.answer}
		err := a.SendMail(t.Context(), Message{To: "ann@x.io"})
		if err == nil || errors.Is(err, ErrPermanent) != tt.permanent {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	for _, to := range []string{"", "no address", "ann@x.io\r\nRCPT TO:<eve@x.io>", "a@b, c@d"} {
		if err := a.SendMail(t.Context(), Message{To: to}); !errors.Is(err, ErrPermanent) {
			t.Errorf("%q: %v", to, err)
		}
	}
	if s.received() != 0 {
		t.Error("something was sent")
	}
}

func TestSMTPGivesUpOnASilentServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := &server{port: l.Addr().(*net.TCPAddr).Port} //nolint:forcetypeassert // a TCP listener
	a := s.client(t, func(o *SMTPOptions) { o.TimeoutSeconds = 1 })
	began := time.Now()
	if err := a.SendMail(t.Context(), Message{To: "ann@x.io"}); err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

// TestPostmanOverSMTP: a letter is tried again after a passing failure, and the log tells no secrets.
func TestPostmanOverSMTP(t *testing.T) {
	s := newServer(t, false)
	s.refuse = []error{&smtp.SMTPError{Code: 451, Message: "ann@x.io is busy"}, &smtp.SMTPError{Code: 451, Message: "ann@x.io is busy"}}
	var log lockedBuffer
	p := NewPostman(s.client(t, nil), Options{
		AppName: "Shop", PublicServerURL: "http://h/parse", PagesURL: "http://h/parse/apps/APP", Pause: time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	p.Verification(User{ObjectID: "id1", Username: "annie", Email: "ann@x.io"}, "TOKEN123")
	p.Close(t.Context())
	if s.received() != 1 {
		t.Fatalf("%d mails arrived", s.received())
	}
	body, _ := io.ReadAll(quotedprintable.NewReader(strings.NewReader(s.got[0])))
	if !strings.Contains(string(body), "http://h/parse/apps/APP/verify_email?token=TOKEN123") || !strings.Contains(string(body), "Shop") {
		t.Errorf("the mail: %s", body)
	}
	text := log.String()
	if strings.Count(text, "cannot send a mail") != 2 || !strings.Contains(text, "id1") {
		t.Errorf("log: %s", text)
	}
	for _, secret := range []string{"ann@x.io", "TOKEN123", "annie"} {
		if strings.Contains(text, secret) {
			t.Errorf("the log tells %s: %s", secret, text)
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var _ Adapter = (*SMTP)(nil)

// ends returns a context that ends soon.
func ends(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}
