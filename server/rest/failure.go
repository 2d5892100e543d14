package rest

import (
	"context"
	"errors"
	"net/http"

	"github.com/parsescale/parsescale/server/parseerror"
)

// plain is an error with an HTTP status and no Parse code.
func plain(status int, message string) *parseerror.Error {
	return &parseerror.Error{Status: status, Message: message, Plain: true}
}

// explain turns an error into what the client may know of it, and logs what it may not.
func (a *API) explain(err error) *parseerror.Error {
	if errors.Is(err, context.Canceled) {
		// The client is gone; nobody reads this.
		return plain(http.StatusServiceUnavailable, "request aborted")
	}
	e := parseerror.From(err)
	switch {
	case e.Internal():
		a.o.Logger.Error("a request failed", "error", e.Error())
	case e.Detail != "":
		a.o.Logger.Debug("permission denied", "detail", e.Detail)
	}
	if !a.o.Config.EnableSanitizedErrorResponse {
		return e.Revealed()
	}
	return e
}

// failure is the answer to a request that failed.
func (a *API) failure(err error) *answer {
	e := a.explain(err)
	return &answer{status: e.HTTPStatus(), body: e.AppendBody(nil)}
}

// errInternal is the answer to what should not happen.
var errInternal = parseerror.New(parseerror.Internal, "Internal server error.")
