package query

import "fmt"

// Error is a query that can't be answered, with parse-server's code and message.
type Error struct {
	Code    int
	Message string
}

func (e *Error) Error() string { return e.Message }

// The codes of the Parse API that a query is refused with.
const (
	codeInvalidQuery   = 102
	codeInvalidKeyName = 105
	codeInvalidJSON    = 107
)

func fail(code int, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}
