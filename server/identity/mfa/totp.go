package mfa

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238's default, and what authenticator apps speak
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"hash"
	"math"
	"strings"
	"time"

	"github.com/parsescale/parsescale/server/identity"
)

// algorithms are the hashes of one-time passwords by their names.
var algorithms = map[string]func() hash.Hash{
	"SHA1":     sha1.New,
	"SHA224":   sha256.New224,
	"SHA256":   sha256.New,
	"SHA384":   sha512.New384,
	"SHA512":   sha512.New,
	"SHA3-224": func() hash.Hash { return sha3.New224() },
	"SHA3-256": func() hash.Hash { return sha3.New256() },
	"SHA3-384": func() hash.Hash { return sha3.New384() },
	"SHA3-512": func() hash.Hash { return sha3.New512() },
}

// totp makes and checks one-time passwords by RFC 6238. It is written out here because the libraries for it bring bar
// codes along and read secrets in other ways than parse-server's does, of which users' secrets were accepted.
type totp struct {
	hash   func() hash.Hash
	digits int
	period time.Duration
}

// at returns the password of the n-th period.
func (t totp) at(secret []byte, n int64) string {
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(n)) //nolint:gosec // time is positive
	mac := hmac.New(t.hash, secret)
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 15
	code := int64(binary.BigEndian.Uint32(sum[offset:]) & math.MaxInt32)
	return fmt.Sprintf("%0*d", t.digits, code%int64(math.Pow10(t.digits)))
}

// check reports whether a password is that of now, or of the period before or after.
func (t totp) check(secret []byte, token string, now time.Time) bool {
	n := now.Unix() / int64(t.period/time.Second)
	found := 0
	for i := n - 1; i <= n+1; i++ {
		found |= subtle.ConstantTimeCompare([]byte(t.at(secret, i)), []byte(token))
	}
	return found == 1
}

// Token returns the one-time password of a secret at a time, as the user's authenticator shows it.
func (a *Adapter) Token(secret string, at time.Time) (string, error) {
	key, err := decodeSecret(secret)
	if err != nil {
		return "", err
	}
	return a.password.at(key, at.Unix()/int64(a.o.Period)), nil
}

// decodeSecret reads base 32 as parse-server does: spaces and padding don't count, nor does case.
func decodeSecret(text string) ([]byte, error) {
	text = strings.ToUpper(strings.TrimRight(strings.ReplaceAll(text, " ", ""), "="))
	out := make([]byte, 0, len(text)*5/8)
	value, bits := 0, 0
	for _, r := range text {
		at := strings.IndexRune("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", r)
		if at < 0 {
			return nil, identity.Refuse(fmt.Sprintf("Invalid character found: %c", r))
		}
		value = (value<<5 | at) & 0xfff
		if bits += 5; bits >= 8 {
			bits -= 8
			out = append(out, byte(value>>bits)) //nolint:gosec // the low byte is meant
		}
	}
	return out, nil
}
