// Package ldaptest runs a real LDAP server inside of the test's process, with users and groups that tests choose.
//
// It is for tests only.
package ldaptest

import (
	"crypto/tls"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/jimlambrt/gldap"
)

// Directory is what the server knows.
type Directory struct {
	// Users are passwords by distinguished names. As every LDAP server does, this one lets whoever sends no password
	// bind as nobody.
	Users map[string]string
	// Groups are the ids of members by the groups' names. A search for (memberUid=<id>) finds a user's groups.
	Groups map[string][]string
	// TLS makes it ldaps. Default: none.
	TLS *tls.Config
}

// Server is a server that runs.
type Server struct {
	// URL is its address.
	URL string
	// Binds and Searches count what it was asked.
	Binds, Searches atomic.Int64
}

// Start runs a server until the test ends.
func Start(t testing.TB, d Directory) *Server {
	t.Helper()
	s := &Server{}
	server, err := gldap.NewServer()
	if err != nil {
		t.Fatal(err)
	}
	mux, err := gldap.NewMux()
	if err != nil {
		t.Fatal(err)
	}
	if err := mux.Bind(func(w *gldap.ResponseWriter, r *gldap.Request) { s.bind(w, r, d) }); err != nil {
		t.Fatal(err)
	}
	if err := mux.Search(func(w *gldap.ResponseWriter, r *gldap.Request) { s.search(w, r, d) }); err != nil {
		t.Fatal(err)
	}
	if err := server.Router(mux); err != nil {
		t.Fatal(err)
	}
	// The library tells no port that it picked itself.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s.URL = "ldap://" + addr
	var options []gldap.Option
	if d.TLS != nil {
		s.URL = "ldaps://" + addr
		options = append(options, gldap.WithTLSConfig(d.TLS))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Run(addr, options...); err != nil {
			t.Errorf("the LDAP server: %v", err)
		}
	}()
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
		<-done
	})
	for range 500 {
		if server.Ready() {
			return s
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the LDAP server doesn't start")
	return nil
}

func (s *Server) bind(w *gldap.ResponseWriter, r *gldap.Request, d Directory) {
	s.Binds.Add(1)
	code := gldap.ResultInvalidCredentials
	if m, err := r.GetSimpleBindMessage(); err == nil {
		sent, err := ldap.ParseDN(m.UserName)
		if err != nil {
			code = gldap.ResultInvalidDNSyntax
		}
		for name, password := range d.Users {
			dn, parseErr := ldap.ParseDN(name)
			if err == nil && parseErr == nil && dn.EqualFold(sent) && password == string(m.Password) {
				code = gldap.ResultSuccess
			}
		}
		if m.Password == "" {
			code = gldap.ResultSuccess
		}
	}
	_ = w.Write(r.NewBindResponse(gldap.WithResponseCode(code)))
}

func (s *Server) search(w *gldap.ResponseWriter, r *gldap.Request, d Directory) {
	s.Searches.Add(1)
	m, err := r.GetSearchMessage()
	if err != nil {
		_ = w.Write(r.NewSearchDoneResponse(gldap.WithResponseCode(gldap.ResultProtocolError)))
		return
	}
	for group, members := range d.Groups {
		found := m.Filter == "(objectClass=*)" || slices.ContainsFunc(members, func(id string) bool {
			return m.Filter == "(memberUid="+ldap.EscapeFilter(id)+")"
		})
		if found {
			_ = w.Write(r.NewSearchResponseEntry("cn="+group+","+m.BaseDN, gldap.WithAttributes(map[string][]string{"cn": {group}})))
		}
	}
	_ = w.Write(r.NewSearchDoneResponse(gldap.WithResponseCode(gldap.ResultSuccess)))
}
