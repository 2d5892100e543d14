package ledger

import (
	"errors"
	"strconv"
	"time"

	"github.com/parsescale/parsescale/policies/ratelimit"
)

// App is the ledger of one app of a deployment.
type App struct {
	redis  *Redis
	prefix string
}

// App returns the ledger of an app by its name.
func (r *Redis) App(name string) *App {
	return &App{redis: r, prefix: "parsescale:{" + r.deployment + ":" + name + "}:limit:"}
}

var errAnswer = errors.New("cannot ask Redis: it answers something else")

// Charge implements ratelimit.Ledger.
func (a *App) Charge(entries []ratelimit.Entry) ([]ratelimit.Standing, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	keys, args := a.keys(entries), make([]any, 0, 3*len(entries))
	for _, e := range entries {
		dry := "0"
		if e.DryRun {
			dry = "1"
		}
		args = append(args, microseconds(e.Add), microseconds(e.Tolerance), dry)
	}
	answer, err := a.redis.ask(a.redis.charge, keys, args...)
	if err != nil {
		return nil, err
	}
	list, err := answer.Int64Slice()
	if err != nil || len(list) != len(entries) {
		return nil, errAnswer
	}
	standings := make([]ratelimit.Standing, len(list))
	for i, n := range list {
		if n < 0 {
			standings[i].Refused, n = true, -1-n
		}
		standings[i].Ahead = time.Duration(n) * time.Microsecond
	}
	return standings, nil
}

// Report implements ratelimit.Ledger.
func (a *App) Report(entries []ratelimit.Entry) ([]time.Duration, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	args := make([]any, len(entries))
	for i, e := range entries {
		args[i] = microseconds(e.Add)
	}
	answer, err := a.redis.ask(a.redis.report, a.keys(entries), args...)
	if err != nil {
		return nil, err
	}
	list, err := answer.Int64Slice()
	if err != nil || len(list) != len(entries) {
		return nil, errAnswer
	}
	ahead := make([]time.Duration, len(list))
	for i, n := range list {
		ahead[i] = time.Duration(n) * time.Microsecond
	}
	return ahead, nil
}

// Up implements ratelimit.Ledger.
func (a *App) Up() bool { return a.redis.Up() }

// Gateways implements ratelimit.Ledger.
func (a *App) Gateways() int { return a.redis.Gateways() }

func (a *App) keys(entries []ratelimit.Entry) []string {
	keys := make([]string, len(entries))
	for i, e := range entries {
		keys[i] = a.prefix + e.Key
	}
	return keys
}

// microseconds writes a duration as a decimal number of them, to the nanosecond.
func microseconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/1e3, 'f', 3, 64)
}

var _ ratelimit.Ledger = (*App)(nil)
