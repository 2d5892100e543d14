package postgres

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// location is what a database address says.
type location struct {
	config *pgconn.Config
	// connections is the most connections at a time; idle is for how long one that nobody uses is kept.
	connections int
	idle        time.Duration
	// statement is how long a statement may take, 0: for ever. The server sees to that, unless it hangs.
	statement time.Duration
	// replicas are standbys to read from, with the same database, user and parameters.
	replicas []location
}

// errAddress starts every complaint about an address. None of them quotes it: it has the password.
var errAddress = errors.New("cannot use the database address")

// parseServerParams are the parameters that parse-server knows and libpq doesn't.
var parseServerParams = []string{"ssl", "ca", "pfx", "cert", "key", "passphrase", "rejectUnauthorized", "secureOptions", "binary",
	"client_encoding", "fallback_application_name", "poolSize", "max", "query_timeout", "idleTimeoutMillis", "keepAlive"}

// parseURI reads an address as parse-server takes it: postgres://user:password@host:port/database?ssl=true&max=20 …
// Beside its parameters those of libpq are known too, as sslmode and target_session_attrs; several hosts may be named,
// separated by commas. Without ssl or sslmode the connection isn't encrypted, as with parse-server.
func parseURI(uri string) (location, error) {
	rest, rawQuery, _ := strings.Cut(uri, "?")
	params, err := url.ParseQuery(rawQuery)
	if err != nil {
		return location{}, fmt.Errorf("%w: its parameters are not well encoded", errAddress)
	}
	replicas := params.Get("replicas")
	params.Del("replicas")
	own := map[string]string{}
	for _, name := range parseServerParams {
		if v := params[name]; len(v) > 0 {
			own[name] = v[len(v)-1]
			params.Del(name)
		}
	}
	if !params.Has("sslmode") {
		params.Set("sslmode", "disable")
	}
	// To libpq, and so to pgconn, a + isn't a space.
	config, err := pgconn.ParseConfig(rest + "?" + strings.ReplaceAll(params.Encode(), "+", "%20"))
	if err != nil {
		return location{}, fmt.Errorf("%w: %s", errAddress, reason(err))
	}
	loc := location{config: config, connections: max(10, 4*runtime.GOMAXPROCS(0)), idle: 30 * time.Second}
	if err := loc.take(own); err != nil {
		return location{}, fmt.Errorf("%w: %w", errAddress, err)
	}
	loc.statement = serverDuration(config.RuntimeParams["statement_timeout"])
	if replicas == "" {
		return loc, nil
	}
	if loc.replicas, err = parseReplicas(uri, replicas); err != nil {
		return location{}, err
	}
	return loc, nil
}

// ParseURI reads an address as parse-server takes it, for whoever connects by themselves.
func ParseURI(uri string) (*pgconn.Config, error) {
	loc, err := parseURI(uri)
	return loc.config, err
}

// maxReplicas bounds the replicas of one database.
const maxReplicas = 16

// parseReplicas makes the locations of replicas: the address with other hosts.
func parseReplicas(uri, hosts string) ([]location, error) {
	rest, rawQuery, _ := strings.Cut(uri, "?")
	params, _ := url.ParseQuery(rawQuery) // it was parsed before
	params.Del("replicas")
	params.Del("target_session_attrs")
	params.Del("host")
	params.Del("port")
	scheme, rest, _ := strings.Cut(rest, "://")
	authority, path, _ := strings.Cut(rest, "/")
	user := authority[:strings.LastIndexByte(authority, '@')+1]
	list := strings.Split(hosts, ",")
	if len(list) > maxReplicas {
		return nil, fmt.Errorf("%w: more than %d replicas", errAddress, maxReplicas)
	}
	var out []location
	for _, host := range list {
		if host == "" || strings.ContainsAny(host, "/@?# ") {
			return nil, fmt.Errorf("%w: replicas is a list of host:port, separated by commas", errAddress)
		}
		loc, err := parseURI(scheme + "://" + user + host + "/" + path + "?" + params.Encode())
		if err != nil {
			return nil, fmt.Errorf("%w (of the replica %s)", err, host)
		}
		out = append(out, loc)
	}
	return out, nil
}

// reason is what was wrong with the address, without the address.
func reason(err error) string {
	if inner := errors.Unwrap(err); inner != nil {
		var u *url.Error
		if errors.As(inner, &u) {
			return "it is not well formed"
		}
		return inner.Error()
	}
	return "it is not well formed"
}

// take obeys parse-server's parameters.
func (l *location) take(own map[string]string) error {
	for _, name := range []string{"pfx", "passphrase", "secureOptions"} {
		if own[name] != "" {
			return fmt.Errorf("%s is not supported; give the certificate and its key as PEM files, in cert and key", name)
		}
	}
	if v := own["client_encoding"]; v != "" && !slices.Contains([]string{"utf8", "utf-8", "unicode"}, strings.ToLower(v)) {
		return errors.New("client_encoding must be UTF8")
	}
	if v := own["fallback_application_name"]; v != "" && l.config.RuntimeParams["application_name"] == "" {
		l.config.RuntimeParams["application_name"] = v
	}
	for _, name := range []string{"poolSize", "max"} {
		if n, err := positive(own, name); err != nil {
			return err
		} else if n > 0 {
			l.connections = n
		}
	}
	if n, err := positive(own, "idleTimeoutMillis"); err != nil {
		return err
	} else if n > 0 {
		l.idle = time.Duration(n) * time.Millisecond
	}
	if n, err := positive(own, "query_timeout"); err != nil {
		return err
	} else if n > 0 {
		l.config.RuntimeParams["statement_timeout"] = strconv.Itoa(n)
	}
	return l.secure(own)
}

// serverDuration reads a time as the server does; 0 if it can't, in which case the server complains.
func serverDuration(v string) time.Duration {
	v = strings.TrimSpace(v)
	number := strings.TrimRight(v, "usminhd ")
	n, err := strconv.ParseFloat(number, 64)
	unit, known := map[string]time.Duration{"": time.Millisecond, "us": time.Microsecond, "ms": time.Millisecond, "s": time.Second,
		"min": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[strings.TrimSpace(v[len(number):])]
	if n *= float64(unit); err != nil || !known || !(n > 0 && n <= math.MaxInt32*float64(time.Millisecond)) { // NaN neither
		return 0
	}
	return time.Duration(n)
}

func positive(own map[string]string, name string) (int, error) {
	v, ok := own[name]
	if !ok {
		return 0, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s must be a whole number that isn't negative", name)
	}
	return n, nil
}

// secure sets TLS up as parse-server does: any of its parameters asks for it, and the server's certificate is checked
// unless rejectUnauthorized is false.
func (l *location) secure(own map[string]string) error {
	if !strings.EqualFold(own["ssl"], "true") && own["ca"] == "" && own["cert"] == "" && own["key"] == "" && own["rejectUnauthorized"] == "" {
		return nil
	}
	base := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: own["rejectUnauthorized"] != "" && !strings.EqualFold(own["rejectUnauthorized"], "true")}
	if name := own["ca"]; name != "" {
		pem, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("cannot read ca: %w", err)
		}
		base.RootCAs = x509.NewCertPool()
		if !base.RootCAs.AppendCertsFromPEM(pem) {
			return errors.New("ca has no certificate in PEM form")
		}
	}
	if own["cert"] != "" || own["key"] != "" {
		pair, err := tls.LoadX509KeyPair(own["cert"], own["key"])
		if err != nil {
			return fmt.Errorf("cannot read cert and key: %w", err)
		}
		base.Certificates = []tls.Certificate{pair}
	}
	forHost := func(host string) *tls.Config {
		c := base.Clone()
		c.ServerName = host
		return c
	}
	l.config.TLSConfig = forHost(l.config.Host)
	for _, f := range l.config.Fallbacks {
		f.TLSConfig = forHost(f.Host)
	}
	return nil
}
