package sqlite

import (
	"errors"
	"fmt"
	"strings"

	"github.com/parsescale/parsescale/server/storage"
	driversqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// writeError turns a violated unique index into a *storage.Duplicate that tells the field.
func writeError(what, class string, err error) error {
	var e *driversqlite.Error
	if errors.As(err, &e) && (e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY) {
		return &storage.Duplicate{Class: class, Field: duplicateField(e.Error())}
	}
	return fmt.Errorf("cannot %s of %s: %w", what, class, err)
}

// duplicateField reads the field out of "UNIQUE constraint failed: _User.username" or "… failed: index
// '_User_unique_authData_facebook_id'".
func duplicateField(message string) string {
	_, what, found := strings.Cut(message, "UNIQUE constraint failed: ")
	if !found {
		return ""
	}
	what, _, _ = strings.Cut(what, " (")
	what, _, _ = strings.Cut(what, ", ")
	if index, ok := strings.CutPrefix(what, "index '"); ok {
		provider := strings.TrimSuffix(strings.TrimPrefix(index, "_User_unique_authData_"), "_id'")
		return "_auth_data_" + provider
	}
	if i := strings.LastIndexByte(what, '.'); i >= 0 {
		return logical(what[i+1:])
	}
	return ""
}
