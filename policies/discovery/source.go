package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// The schemes of addresses that are names to look up: dns://host:port has a worker at each address of the host,
// srv://_service._proto.name one at each target of the SRV records.
const (
	hostScheme    = "dns://"
	serviceScheme = "srv://"
)

// maxFound bounds the workers of one source; further ones are left out.
const maxFound = 256

// ErrNone: the name has no addresses.
var ErrNone = errors.New("the name has no addresses")

// Source is a name to look up.
type Source struct {
	name string // of a host, or of SRV records
	port string // "" for SRV records
}

// IsSource reports whether an address is a name to look up.
func IsSource(address string) bool {
	return strings.HasPrefix(address, hostScheme) || strings.HasPrefix(address, serviceScheme)
}

// Parse reads an address for which IsSource is true.
func Parse(address string) (Source, error) {
	if name, ok := strings.CutPrefix(address, serviceScheme); ok {
		if !validName(name) {
			return Source{}, fmt.Errorf("%q: after srv:// the name of SRV records is needed, such as _parse._tcp.example.com", address)
		}
		return Source{name: name}, nil
	}
	rest, ok := strings.CutPrefix(address, hostScheme)
	if !ok {
		return Source{}, fmt.Errorf("%q is no name to look up", address)
	}
	host, port, err := net.SplitHostPort(rest)
	if err != nil || !validName(host) {
		return Source{}, fmt.Errorf("%q: after dns:// a host and a port are needed", address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return Source{}, fmt.Errorf("%q: the port must be between 1 and 65535", address)
	}
	return Source{name: host, port: port}, nil
}

func validName(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	for _, c := range []byte(name) {
		if c != '.' && c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// Resolver asks the DNS; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, records []*net.SRV, err error)
}

// Found is a worker's address.
type Found struct {
	Address string // host:port
	// Share is the weight of its SRV record against those of the others, at least 1.
	Share int
}

// Lookup asks once. It returns ErrNone if there are no addresses, never an empty list. The result is sorted by address.
func (s Source) Lookup(ctx context.Context, r Resolver) ([]Found, error) {
	found, err := s.lookup(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("cannot look up %s: %w", s.name, err)
	}
	slices.SortFunc(found, func(a, b Found) int { return cmp.Compare(a.Address, b.Address) })
	found = slices.CompactFunc(found, func(a, b Found) bool { return a.Address == b.Address })
	if len(found) == 0 {
		return nil, fmt.Errorf("cannot look up %s: %w", s.name, ErrNone)
	}
	return found[:min(len(found), maxFound)], nil
}

func (s Source) lookup(ctx context.Context, r Resolver) (found []Found, err error) {
	if s.port != "" {
		addresses, err := r.LookupNetIP(ctx, "ip", s.name)
		for _, a := range addresses {
			found = append(found, Found{net.JoinHostPort(a.Unmap().String(), s.port), 1})
		}
		return found, err
	}
	_, records, err := r.LookupSRV(ctx, "", "", s.name)
	if err != nil {
		return nil, err
	}
	best := uint16(65535) // only the targets of the best priority are used, which is the lowest
	for _, rec := range records {
		best = min(best, rec.Priority)
	}
	for _, rec := range records {
		host := strings.TrimSuffix(rec.Target, ".")
		if rec.Priority == best && host != "" && rec.Port > 0 { // a target of "." says that there is no such service
			found = append(found, Found{net.JoinHostPort(host, strconv.Itoa(int(rec.Port))), max(int(rec.Weight), 1)})
		}
	}
	return found, nil
}
