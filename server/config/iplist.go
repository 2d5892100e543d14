//nolint:revive,staticcheck // the messages are parse-server's, word for word
package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// IPList is a list of addresses and networks in parse-server's form. "0.0.0.0" and "0.0.0.0/0" stand for every IPv4
// address, "::", "::0" and "::/0" for every IPv6 address. An empty list admits nobody.
type IPList []string

// IPMatcher decides whether an address is in an IPList.
type IPMatcher struct {
	networks []netip.Prefix
}

// Matcher compiles the list; option names it in the error.
func (l IPList) Matcher(option string) (*IPMatcher, error) {
	m := &IPMatcher{}
	for _, text := range l {
		switch text {
		case "0.0.0.0":
			text = "0.0.0.0/0"
		case "::", "::0", "::0/0":
			text = "::/0"
		}
		p, err := parseNetwork(text)
		if err != nil {
			ip, _, _ := strings.Cut(text, "/")
			return nil, fmt.Errorf("The Parse Server option %q contains an invalid IP address %q.", option, ip)
		}
		m.networks = append(m.networks, p)
	}
	return m, nil
}

// Contains reports whether the list admits the address. An IPv4 address mapped into IPv6 counts as IPv4, and a zone is
// ignored.
func (m *IPMatcher) Contains(a netip.Addr) bool {
	if !a.IsValid() {
		return false
	}
	a = a.Unmap().WithZone("")
	for _, p := range m.networks {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// parseNetwork reads an address or a network; both forms come back as a network of plain addresses.
func parseNetwork(text string) (netip.Prefix, error) {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, "/") {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return netip.Prefix{}, err
		}
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96), nil
	}
	return p.Masked(), nil
}

// Contains reports whether a proxy at this address is trusted by its address.
func (t *TrustProxy) Contains(a netip.Addr) bool {
	if !a.IsValid() {
		return false
	}
	a = a.Unmap().WithZone("")
	for _, p := range t.Networks {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
