// Package idtoken verifies the ID tokens of OpenID providers: JSON Web Tokens signed with RS256 by a key of the provider's
// published key set, for a configured audience, by a known issuer, not expired.
//
// It must not know of users or of what a provider is called.
package idtoken

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/parsescale/parsescale/server/parseerror"
)

// maxToken bounds a token, in bytes.
const maxToken = 16 << 10

// Verifier verifies the tokens of one provider. It is safe for concurrent use.
type Verifier struct {
	// Keys are the provider's. Required.
	Keys *Keys
	// Issuers are the names by which the provider signs; one of them must be the token's. Required.
	Issuers []string
	// Audiences are the ids of this app; the token must be for one of them. Required: without any, no token is right.
	Audiences []string
	// WrongIssuer begins the error about the issuer, as "id token not issued by correct provider - expected: …".
	WrongIssuer string
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

func wrong(format string, args ...any) error {
	return parseerror.New(parseerror.ObjectNotFound, format, args...)
}

// Verify returns the subject of a token that is right. The errors are the client's, but for those of ctx.
func (v *Verifier) Verify(ctx context.Context, token string) (subject string, err error) {
	if len(token) > maxToken {
		return "", wrong("provided token does not decode as JWT")
	}
	if strings.Count(token, ".") != 2 {
		return "", wrong("provided token does not decode as JWT")
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		var algorithm *jose.ErrUnexpectedSignatureAlgorithm
		if errors.As(err, &algorithm) {
			return "", wrong("invalid algorithm")
		}
		return "", wrong("provided token does not decode as JWT")
	}
	if len(parsed.Headers) != 1 {
		return "", wrong("provided token does not decode as JWT")
	}
	id := parsed.Headers[0].KeyID
	key, err := v.Keys.key(ctx, id)
	if errors.Is(err, ErrNoKey) {
		return "", wrong("Unable to find matching key for Key ID: %s", shown(id))
	}
	if err != nil {
		return "", err
	}
	var claims jwt.Claims
	if err := parsed.Claims(key, &claims); err != nil {
		return "", wrong("invalid signature")
	}
	return claims.Subject, v.check(&claims)
}

func (v *Verifier) check(c *jwt.Claims) error {
	now := time.Now
	if v.Now != nil {
		now = v.Now
	}
	switch {
	case c.NotBefore != nil && now().Before(c.NotBefore.Time()):
		return wrong("jwt not active")
	// parse-server takes tokens that never expire; no provider makes such.
	case c.Expiry == nil || !now().Before(c.Expiry.Time()):
		return wrong("jwt expired")
	case !slices.ContainsFunc(v.Audiences, func(a string) bool { return a != "" && slices.Contains(c.Audience, a) }):
		return wrong("jwt audience invalid. expected: %s", strings.Join(v.Audiences, " or "))
	case !slices.Contains(v.Issuers, c.Issuer):
		return wrong("%s", fmt.Sprintf("%s | from: %s", v.WrongIssuer, shown(c.Issuer)))
	case c.Subject == "":
		return wrong("auth data is invalid for this user.")
	}
	return nil
}

// shown is text of a token as errors repeat it.
func shown(s string) string {
	if s == "" {
		return "undefined"
	}
	if len(s) > maxKeyID {
		return s[:maxKeyID]
	}
	return s
}
