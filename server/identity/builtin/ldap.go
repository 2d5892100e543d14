package builtin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/parsescale/parsescale/server/identity"
)

// LDAPOptions are the options of ldap.
type LDAPOptions struct {
	// URL is the server's: ldap:// or ldaps://. Required.
	URL string `json:"url"`
	// Suffix is below what users are, and groups are searched. Required.
	Suffix string `json:"suffix"`
	// DN is a user's distinguished name, with {{id}} for the id. Default: uid={{id}},<suffix>.
	DN string `json:"dn"`
	// GroupCN is the name of a group that users must be in, GroupFilter the filter that finds a user's groups, with {{id}}
	// for the id. Default: none.
	GroupCN     string `json:"groupCn"`
	GroupFilter string `json:"groupFilter"`
	// TLSOptions are those of ldaps. Required with it, may be empty.
	TLSOptions *LDAPTLSOptions `json:"tlsOptions"`
}

// LDAPTLSOptions are the options of connections to an LDAP server, by Node's names.
type LDAPTLSOptions struct {
	// RejectUnauthorized refuses a server whose certificate isn't right. Default: true.
	RejectUnauthorized *bool `json:"rejectUnauthorized"`
	// CA are the certificates in PEM that are trusted, in place of the system's: a string or a list. Default: none.
	CA []string `json:"ca"`
	// Cert and Key are the client's certificate and key in PEM. Default: none.
	Cert string `json:"cert"`
	Key  string `json:"key"`
	// ServerName is the name that the certificate must have. Default: the URL's.
	ServerName string `json:"servername"`
}

// ldapTimeout bounds connecting to the server, and each question to it.
const ldapTimeout = 5 * time.Second

// directory verifies names and passwords at an LDAP server.
type directory struct {
	o   LDAPOptions
	tls *tls.Config
}

func newLDAP(o LDAPOptions) (identity.Adapter, error) {
	d := &directory{o: o}
	secure := strings.HasPrefix(o.URL, "ldaps://")
	switch {
	case o.Suffix == "" || !secure && !strings.HasPrefix(o.URL, "ldap://"):
		return nil, errors.New("LDAP auth configuration missing: url must start with ldap:// or ldaps://, and suffix must be set")
	case secure && o.TLSOptions == nil:
		return nil, errors.New("LDAP auth configuration missing: ldaps:// needs tlsOptions, which may be {}")
	case o.DN != "" && !strings.Contains(o.DN, "{{id}}"):
		return nil, errors.New("dn must contain {{id}}")
	case (o.GroupCN == "") != (o.GroupFilter == ""):
		return nil, errors.New("groupCn and groupFilter need each other")
	case o.GroupFilter != "" && !strings.Contains(strings.ToLower(o.GroupFilter), "{{id}}"):
		return nil, errors.New("groupFilter must contain {{id}}")
	}
	if !secure {
		return d, nil
	}
	t := o.TLSOptions
	d.tls = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.RejectUnauthorized != nil && !*t.RejectUnauthorized {
		d.tls.InsecureSkipVerify = true // the site says so, in as many words
	}
	if len(t.CA) > 0 {
		d.tls.RootCAs = x509.NewCertPool()
		for _, pem := range t.CA {
			if !d.tls.RootCAs.AppendCertsFromPEM([]byte(pem)) {
				return nil, errors.New("tlsOptions.ca holds no certificate in PEM")
			}
		}
	}
	if t.Cert != "" || t.Key != "" {
		pair, err := tls.X509KeyPair([]byte(t.Cert), []byte(t.Key))
		if err != nil {
			return nil, errors.New("tlsOptions.cert and tlsOptions.key are no pair in PEM")
		}
		d.tls.Certificates = []tls.Certificate{pair}
	}
	return d, nil
}

// Validate implements identity.Adapter. The password isn't stored.
func (d *directory) Validate(ctx context.Context, r *identity.Request) (identity.Outcome, error) {
	id, _ := r.AuthData["id"].(string)
	password, _ := r.AuthData["password"].(string)
	// To bind without a password is to be nobody, and succeeds.
	if id == "" || password == "" || len(id) > maxID || len(password) > maxSecret {
		return identity.Outcome{}, wrong("LDAP: Wrong username or password")
	}
	conn, err := d.dial(ctx)
	if err != nil {
		return identity.Outcome{}, d.failed(err)
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	conn.SetTimeout(ldapTimeout)
	dn := "uid=" + ldap.EscapeDN(id) + "," + d.o.Suffix
	if d.o.DN != "" {
		dn = strings.ReplaceAll(d.o.DN, "{{id}}", ldap.EscapeDN(id))
	}
	if err := conn.Bind(dn, password); err != nil {
		return identity.Outcome{}, d.failed(err)
	}
	if d.o.GroupCN != "" {
		if err := d.checkGroup(conn, id); err != nil {
			return identity.Outcome{}, err
		}
	}
	save := maps.Clone(r.AuthData)
	delete(save, "password")
	return identity.Outcome{Save: save}, nil
}

func (d *directory) dial(ctx context.Context) (*ldap.Conn, error) {
	dialer := &net.Dialer{Timeout: ldapTimeout}
	if deadline, ok := ctx.Deadline(); ok {
		dialer.Deadline = deadline
	}
	return ldap.DialURL(d.o.URL, ldap.DialWithDialer(dialer), ldap.DialWithTLSConfig(d.tls))
}

// checkGroup checks that the group is one of the user's.
func (d *directory) checkGroup(conn *ldap.Conn, id string) error {
	filter := d.o.GroupFilter
	for {
		at := strings.Index(strings.ToLower(filter), "{{id}}")
		if at < 0 {
			break
		}
		filter = filter[:at] + "\x00" + filter[at+len("{{id}}"):]
	}
	filter = strings.ReplaceAll(filter, "\x00", ldap.EscapeFilter(id))
	const most = 1000 // groups of one user
	res, err := conn.Search(ldap.NewSearchRequest(d.o.Suffix, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases,
		most, int(ldapTimeout/time.Second), false, filter, []string{"cn"}, nil))
	if err != nil {
		return parseFailure("LDAP group search failed", err)
	}
	for _, entry := range res.Entries {
		if slices.Contains(entry.GetAttributeValues("cn"), d.o.GroupCN) {
			return nil
		}
	}
	return wrong("LDAP: User not in group")
}

// failed turns the error of a connection or a bind into the one that parse-server answers.
func (d *directory) failed(err error) error {
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return parseFailure("LDAPS: Certificate mismatch", err)
	}
	var e *ldap.Error
	if !errors.As(err, &e) {
		return parseFailure("LDAP: Somthing went wrong", err)
	}
	switch e.ResultCode {
	case ldap.LDAPResultInvalidCredentials, ldap.ErrorEmptyPassword:
		return wrong("LDAP: Wrong username or password")
	case ldap.ErrorNetwork:
		return parseFailure("LDAP: Somthing went wrong", err)
	}
	return parseFailure(fmt.Sprintf("LDAP: Somthing went wrong (%d)", e.ResultCode), err)
}

// parseFailure is an error of a server that couldn't be asked.
func parseFailure(message string, cause error) error {
	return &identity.Failure{Answer: wrong("%s", message), Cause: cause}
}
