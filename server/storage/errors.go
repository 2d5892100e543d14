package storage

import "errors"

// Errors a Store returns; compare with errors.Is.
var (
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("database is closed")
	// ErrNotFound: the object to update, delete or lock isn't there.
	ErrNotFound = errors.New("object not found")
	// ErrUnavailable: the database can't be reached, or has no connection to spare. Nothing was changed.
	ErrUnavailable = errors.New("the database is not available")
	// ErrUnknownOutcome: the connection ended during the commit. The write may have happened or not.
	ErrUnknownOutcome = errors.New("the outcome of the write is unknown")
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
