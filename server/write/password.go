package write

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/users/password"
)

// PasswordPolicy says what a new password must be. The zero value says nothing.
type PasswordPolicy struct {
	// Valid reports whether a password may be one. It is called outside of transactions. Nil: all may.
	Valid func(password string) bool
	// ValidationError is what clients are told of a password that isn't valid. Default: a general sentence.
	ValidationError string
	// DoNotAllowUsername refuses passwords that hold the username. Default: false.
	DoNotAllowUsername bool
	// MaxHistory is how many passwords, the present one included, may not be taken again; 0: none. Default: 0.
	MaxHistory int
	// MaxAge is how long a password is good, so that the time of a change must be kept; 0: for ever. Default: 0.
	MaxAge time.Duration
}

// newPassword is the password in the body of a user, with all that takes too long to find out in a transaction.
type newPassword struct {
	plain string
	// invalid: the policy's validator refuses it. Then nothing else is known.
	invalid bool
	hash    string
	// same tells of hashes of former passwords whether they are of this one.
	same map[string]bool
}

// errPasswordMoved: the user's former passwords aren't those that were compared before the transaction.
var errPasswordMoved = parseerror.Busy()

// maxMoves is how often a change of a password is tried again because another one came first.
const maxMoves = 3

// newPassword examines and hashes the password of a user to be written, before the transaction. objectID is "" for a
// new user.
func (p *Path) newPassword(ctx context.Context, c auth.Caller, class, objectID string, b *query.Object) (*newPassword, error) {
	plain, ok := b.Values["password"].(string)
	if class != schema.User || !ok || plain == "" || c.ReadOnly {
		return nil, nil
	}
	n := &newPassword{plain: plain}
	if valid := p.o.PasswordPolicy.Valid; valid != nil && !valid(plain) {
		n.invalid = true
		return n, nil
	}
	err := p.compareFormer(ctx, c, objectID, n)
	if err == nil {
		n.hash, err = p.passwords.Hash(ctx, plain)
	}
	if errors.Is(err, password.ErrBusy) {
		return nil, parseerror.Busy()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot write a user: %w", err)
	}
	return n, nil
}

// compareFormer compares a new password with the former ones, if the caller may change the user at all: each takes tens
// of milliseconds.
func (p *Path) compareFormer(ctx context.Context, c auth.Caller, objectID string, n *newPassword) error {
	if p.o.PasswordPolicy.MaxHistory == 0 || objectID == "" {
		return nil
	}
	var hashes []string
	err := p.store.Read(ctx, func(s storage.Snapshot) error {
		hashes = nil
		a, err := auth.ResolveAt(ctx, s, c, p.o.Now())
		if err != nil {
			return err
		}
		sch, err := s.Schema(ctx)
		if err != nil {
			return err
		}
		class := sch.Class(schema.User)
		if class == nil {
			return nil
		}
		user, err := s.Get(ctx, class, objectID)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		if user != nil && (a.Privileged() || a.UserID != "" && a.Admits(user["_wperm"])) {
			hashes = p.former(user)
		}
		return nil
	})
	if err != nil {
		return err
	}
	n.same = make(map[string]bool, len(hashes))
	for _, h := range hashes {
		same, err := p.passwords.Compare(ctx, h, n.plain)
		if err != nil {
			return err
		}
		n.same[h] = same
	}
	return nil
}

// former returns the hashes of the passwords that a user may not take again.
func (p *Path) former(user storage.Object) []string {
	var out []string
	history, _ := user["_password_history"].([]any)
	for _, h := range history[:min(len(history), p.o.PasswordPolicy.MaxHistory-1)] {
		if h, ok := h.(string); ok {
			out = append(out, h)
		}
	}
	if h, ok := user["_hashed_password"].(string); ok {
		out = append(out, h)
	}
	return out
}

// putPassword checks the password in the body against the policy, and puts its hash into the row.
func (w *writing) putPassword() error {
	n := w.password
	if n == nil {
		return nil
	}
	policy := &w.o.PasswordPolicy
	if n.invalid {
		message := policy.ValidationError
		if message == "" {
			message = "Password does not meet the Password Policy requirements."
		}
		return &parseerror.Error{Code: parseerror.Validation, Message: message}
	}
	name, _ := w.row["username"].(string)
	if policy.DoNotAllowUsername && name != "" && strings.Contains(n.plain, name) {
		return parseerror.New(parseerror.Validation, "Password cannot contain your username.")
	}
	if w.old != nil && policy.MaxHistory > 0 {
		if err := w.checkFormer(); err != nil {
			return err
		}
		w.put("_password_history", w.history())
	}
	if policy.MaxAge > 0 {
		w.put("_password_changed_at", w.now)
	}
	w.put("_hashed_password", n.hash)
	return nil
}

func (w *writing) checkFormer() error {
	moved := false
	for _, h := range w.former(w.old) {
		same, known := w.password.same[h]
		if same {
			return parseerror.New(parseerror.Validation, "New password should not be the same as last %d passwords.", w.o.PasswordPolicy.MaxHistory)
		}
		moved = moved || !known
	}
	if moved {
		return errPasswordMoved
	}
	return nil
}

// history returns the hashes to keep beside the new one: the latest, as parse-server keeps them.
func (w *writing) history() []any {
	n := w.o.PasswordPolicy.MaxHistory
	old, _ := w.old["_password_history"].([]any)
	old = old[:min(len(old), n)]
	if keep := max(0, n-2); len(old) > keep {
		old = old[len(old)-keep:]
	}
	out := append(make([]any, 0, len(old)+1), old...)
	if h, ok := w.old["_hashed_password"].(string); ok {
		out = append(out, h)
	}
	return out
}
