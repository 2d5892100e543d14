package postgres

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestURI(t *testing.T) {
	for _, tt := range []struct {
		uri         string
		host        string
		port        uint16
		database    string
		connections int // 0: the default
		secure      bool
		param, want string
	}{
		{uri: "postgres://u:p@h/db", host: "h", port: 5432, database: "db"},
		{uri: "postgresql://u:p%40@h:99/db?max=7", host: "h", port: 99, database: "db", connections: 7},
		{uri: "postgres://u@h/db?poolSize=3&query_timeout=1500", host: "h", port: 5432, database: "db", connections: 3, param: "statement_timeout", want: "1500"},
		{uri: "postgres://u@h/db?ssl=true", host: "h", port: 5432, database: "db", secure: true},
		{uri: "postgres://u@h/db?rejectUnauthorized=false", host: "h", port: 5432, database: "db", secure: true},
		{uri: "postgres://u@h/db?sslmode=require", host: "h", port: 5432, database: "db", secure: true},
		{uri: "postgres://u@h/db?application_name=shop", host: "h", port: 5432, database: "db", param: "application_name", want: "shop"},
		{uri: "postgres://u@h/db?application_name=the+shop%20%2B", host: "h", port: 5432, database: "db", param: "application_name", want: "the shop +"},
		{uri: "postgres://u@h/db?fallback_application_name=shop&binary=true&keepAlive=true&client_encoding=UTF8", host: "h", port: 5432, database: "db", param: "application_name", want: "shop"},
		{uri: "postgres://u@h1:1,h2:2/db?target_session_attrs=read-write", host: "h1", port: 1, database: "db"},
	} {
		loc, err := parseURI(tt.uri)
		if err != nil {
			t.Errorf("%s: %v", tt.uri, err)
			continue
		}
		c := loc.config
		if c.Host != tt.host || c.Port != tt.port || c.Database != tt.database || (c.TLSConfig != nil) != tt.secure || c.RuntimeParams[tt.param] != tt.want {
			t.Errorf("%s: host %s, port %d, database %s, TLS %v, parameters %v", tt.uri, c.Host, c.Port, c.Database, c.TLSConfig != nil, c.RuntimeParams)
		}
		if tt.connections != 0 && loc.connections != tt.connections {
			t.Errorf("%s: %d connections", tt.uri, loc.connections)
		}
		if tt.secure && strings.Contains(tt.uri, "ssl=true") && (c.TLSConfig.InsecureSkipVerify || c.TLSConfig.ServerName != "h") {
			t.Errorf("%s: the certificate isn't checked", tt.uri)
		}
	}
	if loc, err := parseURI("postgres://u@h/db?idleTimeoutMillis=250"); err != nil || loc.idle != 250*time.Millisecond {
		t.Errorf("idle %v, %v", loc.idle, err)
	}
	for _, tt := range []struct {
		params string
		want   time.Duration
	}{
		{"", 0}, {"query_timeout=0", 0}, {"query_timeout=1500", 1500 * time.Millisecond}, {"statement_timeout=1500", 1500 * time.Millisecond},
		{"statement_timeout=90s", 90 * time.Second}, {"statement_timeout=1.5+min", 90 * time.Second}, {"statement_timeout=+250ms+", 250 * time.Millisecond},
		{"statement_timeout=2h", 2 * time.Hour}, {"statement_timeout=1d", 24 * time.Hour}, {"statement_timeout=2000us", 2 * time.Millisecond},
		{"statement_timeout=1w", 0}, {"statement_timeout=-1", 0}, {"statement_timeout=NaN", 0}, {"statement_timeout=1e300", 0}, {"statement_timeout=s", 0},
		{"statement_timeout=2147483647", math.MaxInt32 * time.Millisecond}, {"statement_timeout=25d", 0},
	} {
		if loc, err := parseURI("postgres://u@h/db?" + tt.params); err != nil || loc.statement != tt.want {
			t.Errorf("%s: a statement may take %v, %v", tt.params, loc.statement, err)
		}
	}
	for uri, want := range map[string]string{
		"postgres://u:topsecret@h/db?max=x":                 "max must be",
		"postgres://u:topsecret@h/db?poolSize=-1":           "poolSize must be",
		"postgres://u:topsecret@h/db?pfx=/x":                "pfx is not supported",
		"postgres://u:topsecret@h/db?ca=/nosuch/file":       "cannot read ca",
		"postgres://u:topsecret@h/db?cert=/nosuch/file":     "cannot read cert and key",
		"postgres://u:topsecret@h/db?client_encoding=latin": "client_encoding must be UTF8",
		"postgres://u:topsecret@h:x/db":                     "",
		"postgres://u:topsecret@h/db?%zz":                   "not well encoded",
		"postgres://u:topsecret@h/db?sslmode=nosuch":        "",
	} {
		if _, err := parseURI(uri); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

// FuzzURI: whatever an address is, its password is in no complaint.
func FuzzURI(f *testing.F) {
	for _, s := range []string{"h/db", "h:1,h2:2/db?target_session_attrs=any", "h/db?ssl=true&ca=x", "[::1]/db?max=5", "h/db?passfile=x&service=y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		if strings.Contains(rest, "topsecret") || strings.Contains(rest, "ca=") || strings.Contains(rest, "cert=") || strings.Contains(rest, "file") {
			return
		}
		loc, err := parseURI("postgres://user:topsecret@" + rest)
		if err != nil && strings.Contains(err.Error(), "topsecret") {
			t.Fatal(err)
		}
		if err == nil && (loc.connections <= 0 || loc.idle <= 0) {
			t.Fatalf("%d connections, idle %v", loc.connections, loc.idle)
		}
	})
}
