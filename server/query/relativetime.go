package query

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

func errRelativeTime() error {
	return fail(codeInvalidJSON, "$relativeTime can only be used with the $lt, $lte, $gt, and $gte operators")
}

// relativeTime takes the text out of {"$relativeTime": text}.
func relativeTime(v any) (text string, ok bool) {
	m, _ := v.(map[string]any)
	operand, ok := m["$relativeTime"]
	if !ok || !Truthy(operand) {
		return "", false
	}
	return jsString(operand), true
}

// resolveRelativeTime reads "in 5 minutes", "2 weeks 3 days ago" and "now". info is what is wrong with the text, in
// parse-server's words, or "".
func resolveRelativeTime(text string, now time.Time) (t time.Time, info string) {
	text = strings.ToLower(text)
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' })
	future := len(words) > 0 && words[0] == "in"
	past := len(words) > 0 && words[len(words)-1] == "ago"
	switch {
	case text == "now":
		t, _ = inRange(now)
		return t, ""
	case !future && !past:
		return t, "Time should either start with 'in' or end with 'ago'"
	case future && past:
		return t, "Time cannot have both 'in' and 'ago'"
	case future:
		words = words[1:]
	default:
		words = words[:len(words)-1]
	}
	if len(words)%2 != 0 {
		return t, "Invalid time string. Dangling unit or number."
	}
	var seconds float64
	for i := 0; i < len(words); i += 2 {
		n, err := strconv.ParseFloat(words[i], 64)
		if err != nil || n != math.Trunc(n) {
			return t, fmt.Sprintf("'%s' is not an integer.", words[i])
		}
		unit := unitSeconds(words[i+1])
		if unit == 0 {
			return t, fmt.Sprintf("Invalid interval: '%s'", words[i+1])
		}
		seconds += n * unit
	}
	if past {
		seconds = -seconds
	}
	// 10,000 years; it also keeps the arithmetic within an int64, and refuses NaN.
	if !(math.Abs(seconds) <= 10_000*366*86400) {
		return t, "The time is out of range."
	}
	t, ok := inRange(time.UnixMilli(now.UnixMilli() + int64(seconds)*1000))
	if !ok {
		return t, "The time is out of range."
	}
	return t, ""
}

func unitSeconds(unit string) float64 {
	switch unit {
	case "yr", "yrs", "year", "years":
		return 365 * 86400
	case "wk", "wks", "week", "weeks":
		return 7 * 86400
	case "d", "day", "days":
		return 86400
	case "hr", "hrs", "hour", "hours":
		return 3600
	case "min", "mins", "minute", "minutes":
		return 60
	case "sec", "secs", "second", "seconds":
		return 1
	}
	return 0
}
