package mfa

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/query"
)

// TestRFC6238 uses the test vectors of appendix B.
func TestRFC6238(t *testing.T) {
	const digits = "1234567890"
	key := func(n int) []byte { return []byte(strings.Repeat(digits, 7)[:n]) }
	for _, tt := range []struct {
		hash func() hash.Hash
		key  []byte
		at   int64
		want string
	}{
		{sha1.New, key(20), 59, "94287082"},
		{sha1.New, key(20), 1111111109, "07081804"},
		{sha1.New, key(20), 20000000000, "65353130"},
		{sha256.New, key(32), 59, "46119246"},
		{sha256.New, key(32), 1234567890, "91819424"},
		{sha512.New, key(64), 59, "90693936"},
		{sha512.New, key(64), 2000000000, "38618901"},
	} {
		p := totp{hash: tt.hash, digits: 8, period: 30 * time.Second}
		if got := p.at(tt.key, tt.at/30); got != tt.want {
			t.Errorf("at %d: %s, want %s", tt.at, got, tt.want)
		}
		if tt.at < 1000 {
			continue // what is before the beginning of time is another question
		}
		for off, ok := range map[int64]bool{0: true, 30: true, -30: true, 60: false, -60: false} {
			if got := p.check(tt.key, tt.want, time.Unix(tt.at+off, 0)); got != ok {
				t.Errorf("%s, %d s later: %v", tt.want, off, got)
			}
		}
	}
}

func TestDecodeSecret(t *testing.T) {
	for in, want := range map[string]string{
		"MZXW6YTBOI======": "foobar", "mzxw6ytboi": "foobar", "MZXW 6YTB OI": "foobar", "": "", "A": "", "MZXW1": "!", "MZ-W": "!", "MZé": "!",
	} {
		got, err := decodeSecret(in)
		if err != nil && want != "!" || err == nil && string(got) != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

const secret = "JBSWY3DPEHPK3PXPJBSWY3DP"

var now = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func token(t *testing.T, a *Adapter, after time.Duration) string {
	t.Helper()
	token, err := a.Token(secret, now.Add(after))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func newAdapter(t *testing.T, o Options) *Adapter {
	t.Helper()
	o.Now = func() time.Time { return now }
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestTOTP(t *testing.T) {
	a := newAdapter(t, Options{Options: []string{"TOTP"}})
	good, early, old := token(t, a, 0), token(t, a, -30*time.Second), token(t, a, -time.Minute)
	stored := map[string]any{"secret": secret, "recovery": []any{"one", "two"}, "more": "kept"}
	type m = map[string]any
	for _, tt := range []struct {
		name   string
		stage  identity.Stage
		sent   m
		stored m
		master bool
		save   m // nil: nothing is to be saved
		want   string
	}{
		{name: "set up", stage: identity.SetUp, sent: m{"secret": secret, "token": good}, save: m{}},
		{name: "set up with the last period's", stage: identity.SetUp, sent: m{"secret": secret, "token": early}, save: m{}},
		{name: "set up with an old one", stage: identity.SetUp, sent: m{"secret": secret, "token": old}, want: "Invalid MFA token"},
		{name: "set up without a token", stage: identity.SetUp, sent: m{"secret": secret}, want: "Invalid MFA data"},
		{name: "set up without a secret", stage: identity.SetUp, sent: m{"token": good}, want: "Invalid MFA data"},
		{name: "set up with a short secret", stage: identity.SetUp, sent: m{"secret": secret[:19], "token": good}, want: "Invalid MFA data"},
		{name: "set up with a secret of spaces", stage: identity.SetUp, sent: m{"secret": strings.Repeat(" ", 40), "token": good}, want: "Invalid MFA data"},
		{name: "set up with a huge secret", stage: identity.SetUp, sent: m{"secret": strings.Repeat("A", 1e6), "token": good}, want: "Invalid MFA data"},
		{name: "set up with what is no base 32", stage: identity.SetUp, sent: m{"secret": strings.Repeat("1", 24), "token": good}, want: "Invalid character found: 1"},
		{name: "set up with a number for a token", stage: identity.SetUp, sent: m{"secret": secret, "token": 5.0}, want: "Invalid MFA token"},
		{name: "set up with a number for a secret", stage: identity.SetUp, sent: m{"secret": 5.0, "token": good}, want: "Invalid MFA data"},
		{name: "set up a telephone", stage: identity.SetUp, sent: m{"mobile": "+1"}, want: "Invalid MFA data"},
		{name: "log in", stage: identity.LogIn, sent: m{"token": good}, stored: stored},
		{name: "log in with an old token", stage: identity.LogIn, sent: m{"token": old}, stored: stored, want: "Invalid MFA token"},
		{name: "log in with nothing", stage: identity.LogIn, sent: m{}, stored: stored, want: "Invalid MFA token"},
		{name: "log in with an operator", stage: identity.LogIn, sent: m{"token": m{"$ne": 1.0}}, stored: stored, want: "Invalid MFA token"},
		{name: "log in with a longer token", stage: identity.LogIn, sent: m{"token": good + "0"}, stored: stored, want: "Invalid MFA token"},
		{name: "log in with a recovery code", stage: identity.LogIn, sent: m{"token": "two"}, stored: stored, save: m{"secret": secret, "recovery": []any{"one"}, "more": "kept"}},
		{name: "log in with an empty recovery code", stage: identity.LogIn, sent: m{"token": ""}, stored: m{"secret": secret, "recovery": []any{""}}, want: "Invalid MFA token"},
		{name: "log in where nothing is set up", stage: identity.LogIn, sent: m{"token": "x"}, stored: m{"anything": 1.0}},
		{name: "log in where what is set up is broken", stage: identity.LogIn, sent: m{"token": good}, stored: m{"secret": "!!!"}, want: "Invalid MFA token"},
		{name: "change", stage: identity.Update, sent: m{"old": good, "secret": secret, "token": good}, stored: stored, save: m{}},
		{name: "change by a recovery code", stage: identity.Update, sent: m{"old": "one", "secret": secret, "token": good}, stored: stored, save: m{}},
		{name: "change without the old token", stage: identity.Update, sent: m{"secret": secret, "token": good}, stored: stored, want: "Invalid MFA token"},
		{name: "change with a wrong old token", stage: identity.Update, sent: m{"old": "x", "secret": secret, "token": good}, stored: stored, want: "Invalid MFA token"},
		{name: "change with the old token alone", stage: identity.Update, sent: m{"old": good}, stored: stored, want: "Invalid MFA data"},
		{name: "change with the master key", stage: identity.Update, sent: m{"x": 1.0}, stored: stored, master: true, save: m{"x": 1.0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := a.Validate(t.Context(), &identity.Request{Stage: tt.stage, AuthData: tt.sent, Stored: tt.stored, Master: tt.master})
			if tt.want != "" {
				if err == nil || err.Error() != tt.want {
					t.Fatalf("got %v, want %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			save := out.Save
			if save == nil && !out.DoNotSave {
				save = tt.sent
			}
			if response, ok := out.Response.(map[string]any); ok {
				codes, _ := save["recovery"].([]any)
				if len(codes) != 2 || response["recovery"] != fmt.Sprintf("%s, %s", codes[0], codes[1]) || codes[0] == codes[1] || len(codes[0].(string)) != 30 || save["secret"] != secret {
					t.Errorf("%v, %v", save, response)
				}
				save = m{}
			}
			if !reflect.DeepEqual(save, tt.save) {
				t.Errorf("saved %v, want %v", save, tt.save)
			}
			if tt.stored != nil && !reflect.DeepEqual(stored, m{"secret": secret, "recovery": []any{"one", "two"}, "more": "kept"}) {
				t.Error("what is stored was changed in place")
			}
		})
	}
}

func TestSMS(t *testing.T) {
	var sent []string
	fail := error(nil)
	a := newAdapter(t, Options{Options: []string{"SMS"}, SendSMS: func(_ context.Context, token, mobile string) error {
		sent = append(sent, mobile+" "+token)
		return fail
	}})
	do := func(stage identity.Stage, data, stored map[string]any) (identity.Outcome, string) {
		out, err := a.Validate(t.Context(), &identity.Request{Stage: stage, AuthData: data, Stored: stored})
		if err != nil {
			return out, err.Error()
		}
		return out, ""
	}
	type m = map[string]any
	if _, err := do(identity.SetUp, m{"mobile": "call me"}, nil); err != "Invalid mobile number." {
		t.Error(err)
	}
	if _, err := do(identity.SetUp, m{"mobile": "+1" + strings.Repeat("1", 100)}, nil); err != "Invalid mobile number." {
		t.Error(err)
	}
	if _, err := do(identity.SetUp, m{}, nil); err != "Invalid MFA data" {
		t.Error(err)
	}
	out, err := do(identity.SetUp, m{"mobile": "+491234"}, nil)
	if err != "" || len(sent) != 1 || out.Save["pending"] == nil || out.Response != nil {
		t.Fatalf("%v %v %v", out, err, sent)
	}
	stored := out.Save
	if p := a.Policy(&identity.Request{Stored: stored}); p != identity.Default {
		t.Error("a number that isn't confirmed counts")
	}
	token := sent[0][len("+491234 "):]
	if len(token) != 6 || strings.Trim(token, "0123456789") != "" {
		t.Error(token)
	}
	for data, want := range map[string]string{"+49123": "This number is not pending", "+491234": "Invalid MFA token"} {
		if _, err := do(identity.Update, m{"mobile": data, "token": "wrong"}, stored); err != want {
			t.Error(err)
		}
	}
	if _, err := do(identity.Update, m{"mobile": "+491234"}, stored); err != "MFA is already set up on this account" {
		t.Error(err)
	}
	out, err = do(identity.Update, m{"mobile": "+491234", "token": token}, stored)
	if err != "" || out.Save["mobile"] != "+491234" {
		t.Fatal(err, out)
	}
	stored = out.Save
	if p := a.Policy(&identity.Request{Stored: stored}); p != identity.Additional {
		t.Error("a number that is confirmed doesn't count")
	}
	if _, err := do(identity.LogIn, m{"token": ""}, stored); err != "Invalid MFA token" {
		t.Error(err)
	}
	out, err = do(identity.LogIn, m{"token": "request"}, stored)
	if err != "" || out.Then == nil || out.Then.Error() != "Please enter the token" || len(sent) != 2 {
		t.Fatal(err, out)
	}
	asked := out.Save
	token = sent[1][len("+491234 "):]
	if _, err := do(identity.LogIn, m{"token": "wrong"}, asked); err != "Invalid MFA token" {
		t.Error(err)
	}
	out, err = do(identity.LogIn, m{"token": token}, asked)
	if err != "" || out.Save["token"] != nil || out.Save["expiry"] != nil {
		t.Error(err, out)
	}
	asked["expiry"] = query.Date{Time: now.Add(-time.Second)}
	if _, err := do(identity.LogIn, m{"token": token}, asked); err != "Invalid MFA token" {
		t.Error(err)
	}
	asked["expiry"] = now.Add(-time.Second).Format(time.RFC3339Nano)
	if _, err := do(identity.LogIn, m{"token": token}, asked); err != "Invalid MFA token" {
		t.Error(err)
	}
}

func TestAfterFind(t *testing.T) {
	a := newAdapter(t, Options{Options: []string{"TOTP"}})
	stored := map[string]any{"secret": secret, "recovery": []any{"a"}}
	if got := a.AfterFind(stored, identity.Viewer{UserID: "u"}); !reflect.DeepEqual(got, map[string]any{"status": "enabled"}) {
		t.Error(got)
	}
	if got := a.AfterFind(map[string]any{"x": 1.0}, identity.Viewer{}); !reflect.DeepEqual(got, map[string]any{"status": "disabled"}) {
		t.Error(got)
	}
	if got := a.AfterFind(stored, identity.Viewer{Master: true}); !reflect.DeepEqual(got, stored) {
		t.Error(got)
	}
}

func TestNewRefuses(t *testing.T) {
	for want, o := range map[string]Options{
		"mfa.options must include SMS or TOTP":                                                       {Options: []string{"mail"}},
		"mfa.digits must be between 4 and 10":                                                        {Options: []string{"TOTP"}, Digits: 3},
		"mfa.period must be greater than 10":                                                         {Options: []string{"TOTP"}, Period: 9},
		"mfa.sendSMS callback must be defined when using SMS OTPs":                                   {Options: []string{"TOTP", "SMS"}},
		"mfa.algorithm must be one of SHA1, SHA224, SHA256, SHA384, SHA512 and SHA3-224 to SHA3-512": {Options: []string{"TOTP"}, Algorithm: "MD5"},
	} {
		if _, err := New(o); err == nil || err.Error() != want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	for _, algorithm := range []string{"SHA1", "sha256", "SHA-512", "SHA3-256"} {
		newAdapter(t, Options{Options: []string{"TOTP"}, Algorithm: algorithm, Digits: 10, Period: 10})
	}
}

// FuzzLogIn looks for authData that logs in without the token, and for panics.
func FuzzLogIn(f *testing.F) {
	f.Add(secret, "123456", "one")
	f.Add("", "", "")
	f.Add("MZ=W", "request", "request")
	f.Fuzz(func(t *testing.T, stored, sent, code string) {
		a := newAdapter(t, Options{Options: []string{"TOTP"}})
		out, err := a.Validate(t.Context(), &identity.Request{
			Stage: identity.LogIn, AuthData: map[string]any{"token": sent}, Stored: map[string]any{"secret": stored, "recovery": []any{code}},
		})
		key, bad := decodeSecret(stored)
		right := bad == nil && a.password.check(key, sent, now)
		if err == nil && stored != "" && !right && (sent != code || code == "") {
			t.Errorf("%q gets in", sent)
		}
		if out.Save != nil && len(out.Save["recovery"].([]any)) != 0 {
			t.Error("a recovery code isn't used up")
		}
	})
}
