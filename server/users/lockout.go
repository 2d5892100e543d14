package users

import (
	"context"
	"strconv"
	"time"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/write"
)

// Lockout locks an account for a while after a number of failed log-ins in a row.
type Lockout struct {
	// Threshold is how many; 0: never. Default: 0.
	Threshold int
	// Minutes is how long, in minutes.
	Minutes float64
	// UnlockOnReset unlocks an account when its password is reset by mail. Default: false.
	UnlockOnReset bool
}

func (l Lockout) refusal() *parseerror.Error {
	return parseerror.New(parseerror.ObjectNotFound, "Your account is locked due to multiple failed login attempts. Please try again after %s minute(s)",
		strconv.FormatFloat(l.Minutes, 'f', -1, 64))
}

// system is the server itself: it may do anything and has no session.
var system = auth.Caller{Master: true}

// attempt counts a log-in whose password was right or not, and refuses it if the account is locked. Whether the
// password was right is told to nobody as long as it is: attempts that ran at the same time are counted one after the
// other, on the locked row. Without a user there is nothing to count, but it takes a transaction all the same, so that
// names that nobody has take no less time.
func (u *Users) attempt(ctx context.Context, user storage.Object, right bool) error {
	l := u.o.Lockout
	if l.Threshold == 0 {
		return nil
	}
	id, _ := user["objectId"].(string)
	_, err := u.writes.Do(ctx, system, "", func(tx storage.Tx, _ *auth.Auth) (*write.Result, error) {
		done := &write.Result{Status: 200}
		if user == nil {
			return done, nil
		}
		row, err := lock(ctx, tx, id)
		if err != nil || row == nil {
			return done, err
		}
		count, _ := row["_failed_login_count"].(float64)
		until, _ := row["_account_lockout_expires_at"].(query.Date)
		limit := float64(l.Threshold)
		set := storage.Object{}
		switch now := u.o.Now(); {
		case count >= limit && until.After(now):
			done.Refusal = l.refusal()
			return done, nil
		case right:
			if row["_failed_login_count"] == 0.0 {
				return done, nil
			}
			set["_failed_login_count"] = 0.0
		default:
			count++
			set["_failed_login_count"] = count
			if count >= limit {
				set["_account_lockout_expires_at"] = dateOf(now.Add(time.Duration(l.Minutes * float64(time.Minute))))
			}
			if count > limit {
				done.Refusal = l.refusal()
			}
		}
		return done, u.writes.SetUser(ctx, tx, row, set)
	})
	return err
}

// dateOf is a time as the database keeps it.
func dateOf(t time.Time) query.Date { return query.Date{Time: t.UTC().Truncate(time.Millisecond)} }
