package ratelimit

import "net/netip"

// Address is the key of a client's address: an IPv4 address by itself, of an IPv6 address the network of 64 bits, which is
// what one customer is given. What is no address is its own key.
func Address(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	if a = a.Unmap(); a.Is4() {
		return a.String()
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return ip
	}
	return p.String()
}
