package mail

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// adapter is one of the site's own. It fails as it is told to.
type adapter struct {
	mu   sync.Mutex
	sent []Message
	fail []error
	hold chan struct{} // closed: go on
}

func (a *adapter) SendMail(ctx context.Context, m Message) error {
	if a.hold != nil {
		select {
		case <-a.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.fail) > 0 {
		err := a.fail[0]
		a.fail = a.fail[1:]
		if err != nil {
			return err
		}
	}
	a.sent = append(a.sent, m)
	return nil
}

var ann = User{ObjectID: "id1", Username: "ann", Email: "ann@x.io"}

func options(log *lockedBuffer) Options {
	return Options{
		AppName: "Shop", PublicServerURL: "http://h/parse", PagesURL: "http://h/parse/apps/APP", Pause: time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	}
}

func TestLetters(t *testing.T) {
	for _, tt := range []struct {
		name   string
		user   User
		change func(*Options)
		reset  bool
		want   Message
	}{
		{
			name: "verification", user: ann,
			want: Message{To: "ann@x.io", Subject: "Shop: is this your address?", Text: "http://h/parse/apps/APP/verify_email?token=T%26K\n"},
		},
		{
			name: "password reset", user: ann, reset: true,
			want: Message{To: "ann@x.io", Subject: "Shop: a new password", Text: "at Shop, ann.\n"},
		},
		{
			name: "a name that is an address", user: User{Username: "bob@x.io"}, reset: true,
			want: Message{To: "bob@x.io", Subject: "Shop: a new password", Text: "/request_password_reset?token=T%26K\n"},
		},
		{
			name: "in a frame", user: ann, change: func(o *Options) { o.FrameURL = "https://site/frame" },
			want: Message{To: "ann@x.io", Subject: "Shop: is this your address?", Text: "https://site/frame?link=%2Fapps%2FAPP%2Fverify_email&token=T%26K\n"},
		},
		{
			name: "own texts", user: User{Email: "a@b", Username: `<b>"x`}, change: func(o *Options) {
				o.Texts.VerificationEmailSubject = "Hi {{username}}\r\nBcc: x"
				o.Texts.VerificationEmailText = "{{username}} {{nosuch}}{{> partial}}"
				o.Texts.VerificationEmailHTML = "<p title=\"{{username}}\">"
			},
			want: Message{To: "a@b", Subject: `Hi <b>"xBcc: x`, Text: `<b>"x `, HTML: `<p title="&lt;b&gt;&#34;x">`},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := options(&lockedBuffer{})
			o.Texts = DefaultTexts()
			if tt.change != nil {
				tt.change(&o)
			}
			a := &adapter{}
			p := NewPostman(a, o)
			if tt.reset {
				p.PasswordReset(tt.user, "T&K")
			} else {
				p.Verification(tt.user, "T&K")
			}
			p.Close(t.Context())
			if len(a.sent) != 1 {
				t.Fatalf("sent: %v", a.sent)
			}
			got := a.sent[0]
			if got.To != tt.want.To || got.Subject != tt.want.Subject || got.HTML != tt.want.HTML || !strings.Contains(got.Text, tt.want.Text) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// wordy is an adapter that words its mail itself.
type wordy struct {
	adapter
	links []string
}

func (w *wordy) SendVerificationEmail(_ context.Context, l Letter) error {
	w.links = append(w.links, "verify "+l.AppName+" "+l.User.Username+" "+l.Link)
	return nil
}

func (w *wordy) SendPasswordResetEmail(_ context.Context, l Letter) error {
	w.links = append(w.links, "reset "+l.AppName+" "+l.User.Username+" "+l.Link)
	return nil
}

func TestAdaptersMayWordTheirMail(t *testing.T) {
	a := &wordy{}
	p := NewPostman(a, options(&lockedBuffer{}))
	p.Verification(ann, "T")
	p.Close(t.Context())
	p2 := NewPostman(a, options(&lockedBuffer{}))
	p2.PasswordReset(ann, "T")
	p2.Close(t.Context())
	want := "verify Shop ann http://h/parse/apps/APP/verify_email?token=T|reset Shop ann http://h/parse/apps/APP/request_password_reset?token=T"
	if got := strings.Join(a.links, "|"); got != want || len(a.sent) != 0 {
		t.Errorf("got %s", got)
	}
}

func TestPostmanTriesAgain(t *testing.T) {
	passing := errors.New("ann@x.io: cannot connect with T0KEN")
	for _, tt := range []struct {
		name        string
		fail        []error
		sent, tries int
	}{
		{"after passing failures", []error{passing, passing, passing}, 1, 3},
		{"not for ever", []error{passing, passing, passing, passing}, 0, 4},
		{"not after a lasting failure", []error{ErrPermanent}, 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log lockedBuffer
			a := &adapter{fail: tt.fail}
			p := NewPostman(a, options(&log))
			p.Verification(ann, "T0KEN")
			p.Close(t.Context())
			text := log.String()
			if len(a.sent) != tt.sent || strings.Count(text, "cannot send a mail") != tt.tries {
				t.Errorf("sent %d, log %s", len(a.sent), text)
			}
			if strings.Contains(text, "T0KEN") || strings.Contains(text, "ann@x.io") {
				t.Errorf("the log tells secrets: %s", text)
			}
		})
	}
}

// TestPostmanNeverWaits: what doesn't fit into the queue is lost, and said to be.
func TestPostmanNeverWaits(t *testing.T) {
	var log lockedBuffer
	o := options(&log)
	o.Queue = 2
	a := &adapter{hold: make(chan struct{})}
	p := NewPostman(a, o)
	began := time.Now()
	for range 20 {
		p.Verification(ann, "T0KEN")
	}
	if d := time.Since(began); d > time.Second {
		t.Errorf("it took %v", d)
	}
	close(a.hold)
	p.Close(t.Context())
	lost := strings.Count(log.String(), "a mail is lost")
	if lost == 0 || lost+len(a.sent) != 20 {
		t.Errorf("%d sent, %d lost", len(a.sent), lost)
	}
	p.Verification(ann, "T0KEN")
	if strings.Count(log.String(), "the server is stopping") != 1 || strings.Contains(log.String(), "T0KEN") {
		t.Errorf("log: %s", log.String())
	}
	p.Close(t.Context())
}

func TestCloseDoesNotWaitForEver(t *testing.T) {
	p := NewPostman(&adapter{hold: make(chan struct{})}, options(&lockedBuffer{}))
	for range 10 {
		p.Verification(ann, "T")
	}
	began := time.Now()
	p.Close(ends(t))
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
}

type panics struct{}

func (panics) SendMail(context.Context, Message) error { panic("ouch") }

func TestAdaptersMayPanic(t *testing.T) {
	var log lockedBuffer
	p := NewPostman(panics{}, options(&log))
	p.Verification(ann, "T")
	p.Close(t.Context())
	if !strings.Contains(log.String(), "panicked") {
		t.Errorf("log: %s", log.String())
	}
}

func TestFileMail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mail.log")
	options, err := json.Marshal(map[string]string{"path": path})
	if err != nil {
		t.Fatal(err)
	}
	a, _, err := Open("file", options)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			if err := a.SendMail(t.Context(), Message{To: "a@b", Subject: "S", Text: "line 1\nline 2"}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) != 10 {
		t.Fatalf("%d lines", len(lines))
	}
	var m struct{ To, Subject, Text string }
	if err := json.Unmarshal([]byte(lines[9]), &m); err != nil || m.To != "a@b" || m.Text != "line 1\nline 2" {
		t.Errorf("%s: %v", lines[9], err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read it: %v %v", info.Mode(), err)
	}
}

func TestOpen(t *testing.T) {
	const smtp = `{"host":"h","from":"a@b"`
	for _, tt := range []struct{ name, module, options, want string }{
		{"smtp", "smtp", smtp + `}`, ""},
		{"smtp with all", "smtp", smtp + `,"port":2525,"tls":"tls","username":"u","password":"p","replyTo":"Help <a@b>","timeoutSeconds":5,"verificationEmailSubject":"x"}`, ""},
		{"file", "file", ``, ""},
		{"file without options", "file", `null`, ""},
		{"another module", "x", ``, `there is no module "x"`},
		{"no host", "smtp", `{"from":"a@b"}`, "host and from are required"},
		{"no sender", "smtp", `{"host":"h"}`, "host and from are required"},
		{"a sender that is none", "smtp", `{"host":"h","from":"x"}`, "from is not an address"},
		{"answers to nowhere", "smtp", smtp + `,"replyTo":"x"}`, "replyTo is not an address"},
		{"tls", "smtp", smtp + `,"tls":"x"}`, "its option tls must be"},
		{"port", "smtp", smtp + `,"port":70000}`, "port"},
		{"time", "smtp", smtp + `,"timeoutSeconds":-1}`, "timeoutSeconds must be greater than 0"},
		{"typo", "smtp", smtp + `,"pasword":"hunter2"}`, `unknown field "pasword"`},
		{"type", "smtp", smtp + `,"password":["hunter2"]}`, "its option password must be of type string, not array"},
		{"half", "smtp", smtp, "not valid JSON"},
		{"list", "smtp", `[]`, "type"},
		{"template", "file", `{"verificationEmailText":"{{#a}}"}`, "its option verificationEmailText is not a template"},
		{"no path", "file", `{"path":""}`, "path is required"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := Open(tt.module, []byte(tt.options))
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

func FuzzOpen(f *testing.F) {
	f.Add("smtp", []byte(`{"host":"h","from":"a@b","password":"p"}`))
	f.Add("file", []byte(`{"verificationEmailText":"{{#a}}{{/a}}"}`))
	f.Fuzz(func(t *testing.T, module string, options []byte) {
		if a, _, err := Open(module, options); (a == nil) != (err != nil) {
			t.Errorf("%v, %v", a, err)
		}
	})
}
