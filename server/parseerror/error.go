package parseerror

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/storage"
)

// permissionDenied is all that a client learns of a refused permission, unless the site says otherwise.
const permissionDenied = "Permission denied"

// internalMessage is all that a client learns of a failure that isn't its own.
const internalMessage = "Internal server error."

// Error is an error of the Parse API.
type Error struct {
	// Code is the Parse code. A plain error has none.
	Code int
	// Message is what the client reads.
	Message string
	// Status is the HTTP status; 0 means the one that goes with the code.
	Status int
	// Detail is the reason of a permission error, for the log and for sites that switched sanitising off.
	Detail string
	// Plain errors have no code in their body: {"error":"…"}.
	Plain bool

	cause error
}

// New returns an error with a code and a message.
func New(code int, format string, args ...any) *Error {
	if len(args) == 0 {
		return &Error{Code: code, Message: format}
	}
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Denied returns a permission error: the client reads "Permission denied", Detail keeps the reason.
func Denied(code int, format string, args ...any) *Error {
	return &Error{Code: code, Message: permissionDenied, Detail: fmt.Sprintf(format, args...)}
}

// Forbidden is the error of an endpoint that needs another key: status 403, no code.
func Forbidden(format string, args ...any) *Error {
	return &Error{Message: permissionDenied, Detail: fmt.Sprintf(format, args...), Status: 403, Plain: true}
}

// NotFound is the error for an object that isn't there, or that the caller may not know of.
func NotFound() *Error { return New(ObjectNotFound, "Object not found.") }

// Busy is the error for work that was refused because too much of it waits already.
func Busy() *Error { return &Error{Code: ConnectionFailed, Message: "Too many requests.", Status: 429} }

// From returns err as an Error. Errors of packages query and storage become the ones parse-server answers with; anything
// else becomes an internal error that tells the client nothing, with err as its cause. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var q *query.Error
	if errors.As(err, &q) {
		return &Error{Code: q.Code, Message: q.Message, cause: err}
	}
	var u *storage.Unsupported
	if errors.As(err, &u) {
		return &Error{Code: u.Code, Message: u.Message, cause: err}
	}
	var d *storage.Duplicate
	if errors.As(err, &d) {
		return &Error{Code: DuplicateValue, Message: "A duplicate value for a field with unique values was provided", cause: err}
	}
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return &Error{Code: ObjectNotFound, Message: "Object not found.", cause: err}
	case errors.Is(err, storage.ErrClosed):
		return &Error{Code: Internal, Message: "Invalid server state: stopping", Status: 503, cause: err}
	case errors.Is(err, storage.ErrUnavailable):
		return &Error{Code: Internal, Message: "The database is not available.", Status: 503, cause: err}
	case errors.Is(err, storage.ErrUnknownOutcome):
		// No 5xx: SDKs repeat those by themselves, and it may have happened.
		return &Error{Code: Timeout, Message: "The outcome of the write is unknown: the connection to the database was lost.", cause: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: Timeout, Message: "The request timed out.", cause: err}
	}
	return &Error{Code: Internal, Message: internalMessage, cause: err}
}

// Error returns the detail when there is one, for logs; clients get Message.
func (e *Error) Error() string {
	text := e.Message
	if e.Detail != "" {
		text = e.Detail
	}
	if e.cause != nil && e.Internal() {
		return text + ": " + e.cause.Error()
	}
	return text
}

// Unwrap returns what the error was made from, if anything.
func (e *Error) Unwrap() error { return e.cause }

// Internal reports whether the error is the worker's own failure, which belongs in the log.
func (e *Error) Internal() bool { return e.Code == Internal && !e.Plain }

// Revealed returns the error as sites show it that have enableSanitizedErrorResponse off.
func (e *Error) Revealed() *Error {
	if e.Detail == "" {
		return e
	}
	r := *e
	r.Message = e.Detail
	return &r
}

// HTTPStatus returns the HTTP status of the error.
func (e *Error) HTTPStatus() int {
	switch {
	case e.Status != 0:
		return e.Status
	case e.Code == ObjectNotFound:
		return 404
	case e.Internal():
		return 500
	}
	return 400
}

// AppendBody appends the JSON body of the error.
func (e *Error) AppendBody(dst []byte) []byte {
	if e.Plain {
		dst = append(dst, `{"error":`...)
		return append(query.AppendString(dst, e.Message), '}')
	}
	dst = append(dst, `{"code":`...)
	dst = strconv.AppendInt(dst, int64(e.Code), 10)
	// parse-server's last resort says "message" where every other error says "error".
	if e.Internal() && e.Message == internalMessage {
		dst = append(dst, `,"message":`...)
	} else {
		dst = append(dst, `,"error":`...)
	}
	return append(query.AppendString(dst, e.Message), '}')
}
