package coding

import "strings"

// Coding is a content coding. The zero value is the body as it is.
type Coding uint8

// The codings, the better ones last.
const (
	Identity Coding = iota
	Gzip
	Zstd
	Codings
)

var names = [Codings]string{"identity", "gzip", "zstd"}

// String returns the coding's name in Content-Encoding.
func (c Coding) String() string { return names[c] }

// Accepted chooses a coding by the lines of Accept-Encoding: the one with the highest weight, of equal ones the better. What
// the client doesn't name it accepts as identity alone. If it accepts nothing, Identity is the answer all the same, as RFC
// 9110 allows. A weight that isn't one makes its item count as if it weren't there.
func Accepted(lines []string) Coding {
	var weights [Codings]int // in thousandths, plus one; 0: not named
	rest := 0                // for "*"
	for _, line := range lines {
		for line != "" {
			var item string
			item, line, _ = strings.Cut(line, ",")
			name, parameters, _ := strings.Cut(item, ";")
			q, ok := weight(parameters)
			if !ok {
				continue
			}
			switch name = strings.TrimSpace(name); {
			case name == "*":
				rest = q + 1
			case strings.EqualFold(name, "gzip"), strings.EqualFold(name, "x-gzip"):
				weights[Gzip] = q + 1
			case strings.EqualFold(name, "zstd"):
				weights[Zstd] = q + 1
			case strings.EqualFold(name, "identity"):
				weights[Identity] = q + 1
			}
		}
	}
	best, most := Identity, 1
	for c := Identity; c < Codings; c++ {
		w := weights[c]
		if w == 0 && c != Identity {
			w = rest
		}
		if w > 1 && w >= most {
			best, most = c, w
		}
	}
	return best
}

// weight reads the parameters of an item: none, or q=0.5 with at most three digits.
func weight(parameters string) (thousandths int, ok bool) {
	p := strings.TrimSpace(parameters)
	if p == "" {
		return 1000, true
	}
	if len(p) < 3 || p[0]|0x20 != 'q' || p[1] != '=' || len(p) > len("q=0.000") {
		return 0, false
	}
	p = p[2:]
	if p[0] != '0' && p[0] != '1' || len(p) > 1 && p[1] != '.' {
		return 0, false
	}
	n, unit := int(p[0]-'0')*1000, 100
	for i := 2; i < len(p); i++ {
		if p[i] < '0' || p[i] > '9' {
			return 0, false
		}
		n += int(p[i]-'0') * unit
		unit /= 10
	}
	return n, n <= 1000
}

// ETag is the entity tag of a body in this coding, made of that of the body as it is. A weak one holds for all codings, whose
// bodies mean the same; a strong one tells them apart (RFC 9110, section 8.8.3.3), in the form that Caddy's encode has.
func (c Coding) ETag(etag string) string {
	if c == Identity || len(etag) < 2 || etag[0] != '"' {
		return etag
	}
	return etag[:len(etag)-1] + "-" + c.String() + `"`
}
