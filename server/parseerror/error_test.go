package parseerror

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/storage"
)

func TestErrorsBecomeAnswers(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		status int
		body   string
	}{
		{"a code", New(InvalidKeyName, "Invalid field name: %s.", "1a"), 400, `{"code":105,"error":"Invalid field name: 1a."}`},
		{"quotes are escaped", New(InvalidJSON, `say "x"`), 400, `{"code":107,"error":"say \"x\""}`},
		{"not found", NotFound(), 404, `{"code":101,"error":"Object not found."}`},
		{"permission", Denied(OperationForbidden, "role %s may not", "A"), 400, `{"code":119,"error":"Permission denied"}`},
		{"permission, shown", Denied(OperationForbidden, "role %s may not", "A").Revealed(), 400, `{"code":119,"error":"role A may not"}`},
		{"nothing to reveal", NotFound().Revealed(), 404, `{"code":101,"error":"Object not found."}`},
		{"master key needed", Forbidden("unauthorized: master key is required"), 403, `{"error":"Permission denied"}`},
		{"busy", Busy(), 429, `{"code":100,"error":"Too many requests."}`},
		{"a query error", fmt.Errorf("cannot find: %w", &query.Error{Code: 102, Message: "bad"}), 400, `{"code":102,"error":"bad"}`},
		{"what the database can't say", &storage.Unsupported{Code: 119, Message: "no"}, 400, `{"code":119,"error":"no"}`},
		{"a duplicate", &storage.Duplicate{Class: "A", Field: "f"}, 400, `{"code":137,"error":"A duplicate value for a field with unique values was provided"}`},
		{"a missing row", storage.ErrNotFound, 404, `{"code":101,"error":"Object not found."}`},
		{"a closed store", storage.ErrClosed, 503, `{"code":1,"error":"Invalid server state: stopping"}`},
		{"too late", context.DeadlineExceeded, 400, `{"code":124,"error":"The request timed out."}`},
		{"anything else tells nothing", errors.New("secret path /x"), 500, `{"code":1,"message":"Internal server error."}`},
		{"code 1 with a message of its own", New(Internal, "Error creating session."), 500, `{"code":1,"error":"Error creating session."}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := From(tt.err)
			if got := e.HTTPStatus(); got != tt.status {
				t.Errorf("status %d, want %d", got, tt.status)
			}
			if got := string(e.AppendBody(nil)); got != tt.body {
				t.Errorf("body %s, want %s", got, tt.body)
			}
		})
	}
}

func TestFromKeepsTheCauseForTheLog(t *testing.T) {
	cause := errors.New("disk full")
	e := From(fmt.Errorf("cannot commit: %w", cause))
	if !errors.Is(e, cause) {
		t.Error("the cause is lost")
	}
	if got, want := e.Error(), "Internal server error.: cannot commit: disk full"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if From(nil) != nil {
		t.Error("From(nil) is an error")
	}
	if got, want := Denied(119, "because").Error(), "because"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
