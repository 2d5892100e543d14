package postgres

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/parsescale/parsescale/server/storage"
)

// Codes of the Parse API that a query is refused with.
const (
	codeInvalidClassName = 103
	codeInvalidQuery     = 102
	codeInvalidJSON      = 107
)

// SQLSTATEs that mean something here.
const (
	uniqueViolation      = "23505"
	serializationFailure = "40001"
	deadlock             = "40P01"
	undefinedTable       = "42P01"
	undefinedColumn      = "42703"
	duplicateTable       = "42P07"
	duplicateColumn      = "42701"
	insufficientRights   = "42501"
	planChanged          = "0A000" // "cached plan must not change result type"
	unknownStatement     = "26000"
	readOnly             = "25006"
	invalidRegex         = "2201B"
	canceled             = "57014"
	lockTimeout          = "55P03"
	protocolViolation    = "08P01"
	adminShutdown        = "57P01" // also of a session that pg_terminate_backend ended
)

// stateOf returns the SQLSTATE of an error, or "".
func stateOf(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// unsupported reports whether a connection was refused for a parameter, as poolers do that know few of them.
func unsupported(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == protocolViolation && strings.Contains(e.Message, "unsupported startup parameter")
}

// stale reports whether an error comes from what has changed since the schema was read or the statement was prepared, so
// that all may be done again.
func stale(err error) bool {
	switch stateOf(err) {
	case undefinedTable, undefinedColumn, planChanged, unknownStatement:
		return true
	}
	return false
}

// conflict reports whether a transaction failed because of another one, so that it may be done again.
func conflict(err error) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case serializationFailure, deadlock, duplicateTable, duplicateColumn:
		return true
	case uniqueViolation:
		// Two transactions created the same table, type, column or class.
		return e.SchemaName == "pg_catalog" || e.ConstraintName == "_SCHEMA_pkey"
	}
	return false
}

// lost reports whether the connection is of no use any more, so that another one may be tried: it ended, or it leads to a
// server that doesn't take writes any more.
func lost(err error) bool {
	return errors.Is(err, errLost) || stateOf(err) == readOnly
}

// unavailable marks a lost connection as the database's being away.
func unavailable(err error) error {
	if err != nil && lost(err) && !errors.Is(err, storage.ErrUnavailable) {
		return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	}
	return err
}

// queryError turns what the database makes of a query into the error that tells the client.
func queryError(what string, err error) error {
	if refused := textError(err); refused != nil {
		return refused
	}
	switch stateOf(err) {
	case invalidRegex:
		return &storage.Unsupported{Code: codeInvalidQuery, Message: "Bad $regex value for query: it is not a regular expression"}
	case "54001", "54011", "54023", "54000": // too deep, too many columns, arguments or whatever
		return &storage.Unsupported{Code: codeInvalidQuery, Message: "The query has too many conditions"}
	case canceled, lockTimeout:
		return fmt.Errorf("cannot %s: %w: %w", what, context.DeadlineExceeded, err)
	}
	return fmt.Errorf("cannot %s: %w", what, err)
}

var (
	badTerm     = regexp.MustCompile(`(?s)^syntax error in tsquery: (".*")$`)
	badLanguage = regexp.MustCompile(`(?s)^(?:text search configuration|schema) (".*") does not exist$`)
)

// textError is what the database has against a $text, or nil.
func textError(err error) error {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return nil
	}
	if m := badTerm.FindStringSubmatch(e.Message); m != nil {
		return &storage.Unsupported{Code: codeInvalidJSON, Message: "bad $text: syntax error in the search term " + m[1]}
	}
	if m := badLanguage.FindStringSubmatch(e.Message); m != nil {
		return unknownLanguage(m[1])
	}
	return nil
}

// writeError turns a violated unique index into a *storage.Duplicate that tells the field.
func writeError(what, class string, err error) error {
	var e *pgconn.PgError
	if errors.As(err, &e) && e.Code == uniqueViolation {
		return &storage.Duplicate{Class: class, Field: duplicateField(e.ConstraintName)}
	}
	return queryError(what+" of "+class, err)
}

var uniqueName = regexp.MustCompile(`unique_([a-zA-Z]+)`)

// duplicateField reads the field out of the name of the index that was violated, as parse-server does: _User_unique_username,
// _User_unique_authData_facebook_id, or X_pkey.
func duplicateField(index string) string {
	if rest, ok := strings.CutPrefix(index, "_User_unique_authData_"); ok {
		return "_auth_data_" + strings.TrimSuffix(rest, "_id")
	}
	if m := uniqueName.FindStringSubmatch(index); m != nil {
		return m[1]
	}
	if strings.HasSuffix(index, "_pkey") {
		return "objectId"
	}
	return ""
}
