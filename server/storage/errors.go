package storage

import "errors"

// Errors a Store returns; compare with errors.Is.
var (
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("database is closed")
	// ErrNotFound: the object to update, delete or lock isn't there.
	ErrNotFound = errors.New("object not found")
)

// Unsupported reports a query the database can't express; Message is parse-server's.
type Unsupported struct {
	Code    int
	Message string
}

func (e *Unsupported) Error() string { return e.Message }

// Duplicate reports a violated unique index.
type Duplicate struct {
	Class string
	// Field is the field that must be unique, or "_auth_data_<provider>"; "" when it can't be told.
	Field string
}

func (e *Duplicate) Error() string {
	return "a duplicate value for the unique field " + e.Field + " of " + e.Class
}
