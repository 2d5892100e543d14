package server_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/testservices"
)

// TestDatabaseOptionsReachPostgreSQL: what databaseOptions say is what the database sees.
func TestDatabaseOptionsReachPostgreSQL(t *testing.T) {
	p, uri := testservices.SharedDatabase(t)
	database := uri[strings.LastIndexByte(uri, '/')+1:]
	options, err := json.Marshal(map[string]any{
		"appId": "a", "masterKey": "m", "databaseURI": uri, "filesFolder": t.TempDir(),
		"databaseOptions": map[string]any{
			"application_name": "seen", "statement_timeout": 4321, "max": 3,
			"createIndexUserEmailCaseInsensitive": false, "createIndexUserPasswordResetToken": false, "createIndexAuthDataUniqueness": false,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	o, warnings, err := config.FromJSON(options)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	s, err := server.New(t.Context(), o, server.Environment{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	indexes, err := p.Query(database, `SELECT string_agg(indexname, ' ') FROM pg_indexes WHERE tablename = '_User'`)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"_User_unique_username": true, "_User_unique_email": true, "case_insensitive_username": true, "_email_verify_token": true,
		"case_insensitive_email": false, "_perishable_token": false, "_User_unique_authData_anonymous_id": false,
	} {
		if got := strings.Contains(indexes, name); got != want {
			t.Errorf("the index %s is there: %v, want %v", name, got, want)
		}
	}
	seen, err := p.Query(database, `SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'seen' AND datname = current_database()`)
	if err != nil || !strings.HasPrefix(strings.TrimSpace(seen), "t") {
		t.Errorf("the name of the application: %q, %v", seen, err)
	}
}
