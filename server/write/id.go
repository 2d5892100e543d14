package write

import (
	"encoding/hex"
	"fmt"
	"io"
)

const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// randomString returns n random letters and digits, each as likely as any other: bytes past the largest multiple of 62
// are thrown away instead of being folded onto the first letters.
func randomString(random io.Reader, n int) (string, error) {
	const fair = 256 - 256%len(alphanumeric)
	out := make([]byte, 0, n)
	var buf [64]byte
	for len(out) < n {
		chunk := buf[:min(len(buf), n-len(out)+4)]
		if _, err := io.ReadFull(random, chunk); err != nil {
			return "", fmt.Errorf("cannot read random bytes: %w", err)
		}
		for _, b := range chunk {
			if int(b) < fair && len(out) < n {
				out = append(out, alphanumeric[int(b)%len(alphanumeric)])
			}
		}
	}
	return string(out), nil
}

// newToken returns a session token: "r:" and 32 hexadecimal digits.
func newToken(random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("cannot read random bytes: %w", err)
	}
	return "r:" + hex.EncodeToString(b[:]), nil
}
