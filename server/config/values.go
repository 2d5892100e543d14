package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// Secret is text that is never printed: formatting and logging show "redacted". JSON keeps the text, because options
// are handed to workers in that form.
type Secret string

const redacted = "redacted"

// String implements fmt.Stringer.
func (Secret) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return redacted }

// Format implements fmt.Formatter, so that no verb shows the text.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// SecretJSON is a JSON value that may hold secrets: like a Secret, it is never printed.
type SecretJSON []byte

// String implements fmt.Stringer.
func (SecretJSON) String() string { return redacted }

// Format implements fmt.Formatter, so that no verb shows the text.
func (SecretJSON) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements slog.LogValuer.
func (SecretJSON) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements json.Marshaler.
func (s SecretJSON) MarshalJSON() ([]byte, error) {
	if len(s) == 0 {
		return []byte("null"), nil
	}
	return s, nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *SecretJSON) UnmarshalJSON(data []byte) error {
	*s = append(SecretJSON(nil), data...)
	return nil
}

// Size is a number of bytes; in JSON a number, or text such as "512kb", "20mb", "1.5gb".
type Size int64

// ParseSize reads a size in parse-server's form: digits, perhaps a fraction, and b, kb, mb or gb (powers of 1024).
func ParseSize(text string) (Size, error) {
	s := strings.ToLower(strings.TrimSpace(text))
	factor := 1.0
	for suffix, f := range map[string]float64{"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30} {
		if rest, ok := strings.CutSuffix(s, suffix); ok {
			s, factor = strings.TrimRight(rest, " "), f
			break
		}
	}
	if factor == 1 {
		s = strings.TrimRight(strings.TrimSuffix(s, "b"), " ")
	}
	if s == "" || strings.Trim(s, "0123456789.") != "" || s[0] == '.' || s[len(s)-1] == '.' {
		return 0, fmt.Errorf("invalid size value: %s", text)
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || n*factor >= math.MaxInt64 {
		return 0, fmt.Errorf("invalid size value: %s", text)
	}
	return Size(n * factor), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *Size) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err == nil {
		*s, err = ParseSize(text)
		return err
	}
	var n float64
	if err := json.Unmarshal(data, &n); err != nil || n < 0 || n >= math.MaxInt64 {
		return fmt.Errorf("invalid size value: %s", data)
	}
	*s = Size(n)
	return nil
}

// Strings is a list of strings; in JSON also a single string.
type Strings []string

// UnmarshalJSON implements json.Unmarshaler.
func (s *Strings) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*s = Strings{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(data, &many); err != nil {
		return errors.New("must be a string or an array of strings")
	}
	*s = many
	return nil
}

// TrustProxy says which proxies are believed, as Express' "trust proxy" does.
type TrustProxy struct {
	// All believes everyone: the address is the first that X-Forwarded-For names.
	All bool
	// Hops is how many proxies stand in front.
	Hops int
	// Networks are the addresses of proxies.
	Networks []netip.Prefix
}

var proxyPresets = map[string][]string{
	"loopback":    {"127.0.0.1/8", "::1/128"},
	"linklocal":   {"169.254.0.0/16", "fe80::/10"},
	"uniquelocal": {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"},
}

// UnmarshalJSON implements json.Unmarshaler: a boolean, a number of hops, or addresses, networks and the names
// loopback, linklocal and uniquelocal, in an array or separated by commas.
func (t *TrustProxy) UnmarshalJSON(data []byte) error {
	*t = TrustProxy{}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	var names []string
	switch v := v.(type) {
	case nil:
	case bool:
		t.All = v
	case float64:
		if v < 0 || v != math.Trunc(v) || v > 1000 {
			return fmt.Errorf("trustProxy: %v is not a number of proxies", v)
		}
		t.Hops = int(v)
	case string:
		names = strings.Split(v, ",")
	case []any:
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return fmt.Errorf("trustProxy: %v is not an address", e)
			}
			names = append(names, strings.Split(s, ",")...)
		}
	default:
		return errors.New("trustProxy must be a boolean, a number or addresses")
	}
	for _, name := range names {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		texts, ok := proxyPresets[name]
		if !ok {
			texts = []string{name}
		}
		for _, text := range texts {
			p, err := parseNetwork(text)
			if err != nil {
				return fmt.Errorf("trustProxy: %q is neither an address nor a network", text)
			}
			t.Networks = append(t.Networks, p)
		}
	}
	return nil
}

// MarshalJSON implements json.Marshaler.
func (t TrustProxy) MarshalJSON() ([]byte, error) {
	switch {
	case t.All:
		return []byte("true"), nil
	case t.Hops > 0:
		return strconv.AppendInt(nil, int64(t.Hops), 10), nil
	}
	names := make([]string, len(t.Networks))
	for i, p := range t.Networks {
		names[i] = p.String()
	}
	return json.Marshal(names)
}
