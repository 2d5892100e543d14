package idtoken

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/parsescale/parsescale/server/identity/fetch"
	"github.com/parsescale/parsescale/server/identity/idtoken/tokentest"
	"github.com/parsescale/parsescale/server/parseerror"
)

// provider is an HTTPS server that plays an OpenID provider: the real ones can't be reached from tests.
type provider struct {
	*httptest.Server
	asked  atomic.Int64
	answer atomic.Pointer[http.HandlerFunc]
	// patience is how long an answer is waited for.
	patience time.Duration
}

func newProvider(t testing.TB) *provider {
	t.Helper()
	p := &provider{patience: time.Minute}
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		(*p.answer.Load())(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) serve(data []byte) {
	p.answers(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) })
}

func (p *provider) answers(f http.HandlerFunc) { p.answer.Store(&f) }

func (p *provider) client() *fetch.Client {
	return fetch.New(fetch.Options{Transport: p.Client().Transport, Timeout: p.patience})
}

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *clock) advance(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.now = c.now.Add(d) }

func newClock() *clock { return &clock{now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)} }

func verifier(p *provider, c *clock) *Verifier {
	return &Verifier{
		Keys:    NewKeys(KeysOptions{URL: p.URL + "/keys", Client: p.client(), Now: c.Now}),
		Issuers: []string{"https://issuer"}, Audiences: []string{"app", "other-app"}, Now: c.Now,
		WrongIssuer: "id token not issued by correct provider - expected: https://issuer",
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return parseerror.From(err).Message
}

func TestVerify(t *testing.T) {
	p, c := newProvider(t), newClock()
	key, stranger := tokentest.Key(t, 0), tokentest.Key(t, 1)
	p.serve(tokentest.KeySet(t, map[string]*rsa.PrivateKey{"k1": key}))
	v := verifier(p, c)
	at := func(d time.Duration) int64 { return c.Now().Add(d).Unix() }
	claims := func(change map[string]any) map[string]any {
		m := map[string]any{"iss": "https://issuer", "aud": "app", "sub": "u1", "exp": at(time.Minute)}
		for k, v := range change {
			if v == nil {
				delete(m, k)
			} else {
				m[k] = v
			}
		}
		return m
	}
	good := tokentest.Sign(t, jose.RS256, key, "k1", claims(nil))
	parts := strings.Split(good, ".")
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"k1"}`)) + "." + parts[1] + "."
	embedded := jose.SigningKey{Algorithm: jose.RS256, Key: stranger}
	signer, err := jose.NewSigner(embedded, (&jose.SignerOptions{EmbedJWK: true}).WithHeader("kid", "k1"))
	if err != nil {
		t.Fatal(err)
	}
	self, err := signer.Sign([]byte(`{"iss":"https://issuer","aud":"app","sub":"u1","exp":9999999999}`))
	if err != nil {
		t.Fatal(err)
	}
	withOwnKey, err := self.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, token, want string }{
		{"a right one", good, ""},
		{"for two apps", tokentest.Sign(t, jose.RS256, key, "k1", claims(map[string]any{"aud": []string{"x", "other-app"}})), ""},
		{"for another app", tokentest.Sign(t, jose.RS256, key, "k1", claims(map[string]any{"aud": "x"})), "jwt audience invalid. expected: app or other-app"},
		{"for no app", tokentest.Sign(t, jose.RS256, key, "k1", claims(map[string]any{"aud": nil})), "jwt audience invalid. expected: app or other-app"},
		{"by another issuer", tokentest.Sign(t, jose.RS256, key, "k1", claims(map[string]any{"iss": "https://evil"})), "id token not issued by correct provider - expected: https://issuer | from: https://evil"},
		{"by no issuer", tokentest.Sign(t, jose.RS256, key, "k1", claims(map[string]any{"iss": nil})), "id token not issued by correct provider - expected: https://issuer | from: undefined"},
		{"expired", tokentest.Sign(t, jose.RS256, key, "k1", claims(map[string]any{"exp": at(-time.Second)})), "jwt expired"},
		{"for ever", tokentest.Sign(t, jose.RS256, key, "k1", claims(map[string]any{"exp": nil})), "jwt expired"},
		{"not yet", tokentest.Sign(t, jose.RS256, key, "k1", claims(map[string]any{"nbf": at(time.Second)})), "jwt not active"},
		{"for nobody", tokentest.Sign(t, jose.RS256, key, "k1", claims(map[string]any{"sub": nil})), "auth data is invalid for this user."},
		{"by another key under this one's id", tokentest.Sign(t, jose.RS256, stranger, "k1", claims(nil)), "invalid signature"},
		{"with a key of its own in the header", withOwnKey, "invalid signature"},
		{"changed", parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"https://issuer","aud":"app","sub":"u2","exp":9999999999}`)) + "." + parts[2], "invalid signature"},
		{"by an unknown key", tokentest.Sign(t, jose.RS256, stranger, "k2", claims(nil)), "Unable to find matching key for Key ID: k2"},
		{"by a key without a name", tokentest.Sign(t, jose.RS256, key, "", claims(nil)), "Unable to find matching key for Key ID: undefined"},
		{"by a key with an endless name", tokentest.Sign(t, jose.RS256, key, strings.Repeat("k", 5000), claims(nil)), "Unable to find matching key for Key ID: " + strings.Repeat("k", 256)},
		// GHSA-4q3h-vp4r-prv2: the public key taken for a secret, and no signature at all.
		{"HS256 with the public key", tokentest.Sign(t, jose.HS256, public, "k1", claims(nil)), "invalid algorithm"},
		{"unsigned", none, "invalid algorithm"},
		{"RS512", tokentest.Sign(t, jose.RS512, key, "k1", claims(nil)), "invalid algorithm"},
		{"PS256", tokentest.Sign(t, jose.PS256, key, "k1", claims(nil)), "invalid algorithm"},
		{"no token", "x", "provided token does not decode as JWT"},
		{"empty parts", "..", "invalid algorithm"},
		{"without its signature", parts[0] + "." + parts[1], "provided token does not decode as JWT"},
		{"an endless one", strings.Repeat("a", 20<<10) + "." + parts[1] + "." + parts[2], "provided token does not decode as JWT"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			subject, err := v.Verify(t.Context(), tt.token)
			if text(err) != tt.want {
				t.Errorf("got %q, want %q", text(err), tt.want)
			}
			if err == nil && subject != "u1" {
				t.Errorf("subject %q", subject)
			}
			if e := parseerror.From(err); e != nil && e.Code != parseerror.ObjectNotFound {
				t.Errorf("code %d", e.Code)
			}
		})
	}
	if n := p.asked.Load(); n != 1 {
		t.Errorf("the provider was asked %d times within one interval", n)
	}
	// GHSA-x6fw-778m-wr9v: without an audience no token is right.
	v.Audiences = nil
	if _, err := v.Verify(t.Context(), good); err == nil {
		t.Error("a token is right without any audience")
	}
	v.Audiences = []string{""}
	if _, err := v.Verify(t.Context(), tokentest.Sign(t, jose.RS256, key, "k1", claims(map[string]any{"aud": ""}))); err == nil {
		t.Error("a token is right for the empty audience")
	}
}

func TestKeysAreCachedAndRotated(t *testing.T) {
	p, c := newProvider(t), newClock()
	p.serve(tokentest.KeySet(t, map[string]*rsa.PrivateKey{"old": tokentest.Key(t, 0)}))
	keys := NewKeys(KeysOptions{URL: p.URL, Client: p.client(), Now: c.Now})
	find := func(id string, want bool) {
		t.Helper()
		if _, err := keys.key(t.Context(), id); (err == nil) != want {
			t.Errorf("key %s: %v", id, err)
		}
	}
	asked := func(want int64) {
		t.Helper()
		if n := p.asked.Load(); n != want {
			t.Errorf("asked %d times, want %d", n, want)
		}
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { find("old", true) })
	}
	wg.Wait()
	asked(1)
	for range 100 {
		find("unknown", false)
	}
	asked(1)
	c.advance(11 * time.Second)
	for range 100 {
		find("unknown", false)
	}
	asked(2)
	// The provider has a new key: it is found once the interval is over.
	p.serve(tokentest.KeySet(t, map[string]*rsa.PrivateKey{"new": tokentest.Key(t, 1)}))
	find("new", false)
	c.advance(11 * time.Second)
	find("new", true)
	find("old", false)
	asked(3)
	// The provider fails: what is known is used for as long again.
	p.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); _, _ = w.Write([]byte("{}")) })
	c.advance(61 * time.Minute)
	find("new", true)
	asked(4)
	c.advance(time.Hour)
	find("new", false)
}

func TestKeySetsThatAreNone(t *testing.T) {
	other := newProvider(t)
	other.serve(tokentest.KeySet(t, map[string]*rsa.PrivateKey{"k": tokentest.Key(t, 0)}))
	set := string(tokentest.KeySet(t, map[string]*rsa.PrivateKey{"k": tokentest.Key(t, 0)}))
	for name, answer := range map[string]http.HandlerFunc{
		"no JSON":              func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"an error":             func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); _, _ = w.Write([]byte(set)) },
		"redirected elsewhere": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, 302) },
		"redirected for ever":  func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"x", 302) },
		"endless":              func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(set + strings.Repeat(" ", 2<<20))) },
		"too late":             func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"too many": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[` + strings.Repeat(`{},`, 200) + strings.TrimPrefix(set, `{"keys":[`)))
		},
		"for encryption": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(strings.Replace(set, `"sig"`, `"enc"`, 1)))
		},
		"for another algorithm": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(strings.Replace(set, `RS256`, `RS512`, 1)))
		},
		"symmetric": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[{"kty":"oct","kid":"k","k":"AAAA"}]}`))
		},
		"with a small modulus": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[{"kty":"RSA","kid":"k","e":"AQAB","n":"` + strings.Repeat("_", 171) + `"}]}`))
		},
		"with a key without name": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(strings.Replace(set, `"kid":"k"`, `"kid":""`, 1)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			p.answers(answer)
			if name == "too late" {
				p.patience = 300 * time.Millisecond
			}
			keys := NewKeys(KeysOptions{URL: p.URL, Client: p.client()})
			for _, id := range []string{"k", ""} {
				if _, err := keys.key(t.Context(), id); err == nil {
					t.Errorf("there is a key %q", id)
				}
			}
		})
	}
}

// FuzzVerify looks for tokens that are right without being signed, and for panics.
func FuzzVerify(f *testing.F) {
	p, c := newProvider(f), newClock()
	p.serve(tokentest.KeySet(f, map[string]*rsa.PrivateKey{"k1": tokentest.Key(f, 0)}))
	v := verifier(p, c)
	good := tokentest.Sign(f, jose.RS256, tokentest.Key(f, 0), "k1", map[string]any{"iss": "https://issuer", "aud": "app", "sub": "u1", "exp": c.Now().Add(time.Hour).Unix()})
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add(good[:len(good)/2])
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := v.Verify(t.Context(), token); err == nil && token != good {
			// Other spellings of the same signature are the same token.
			if a, b := strings.Split(token, "."), strings.Split(good, "."); a[0] != b[0] || a[1] != b[1] {
				t.Errorf("%q is right", token)
			}
		}
	})
}
