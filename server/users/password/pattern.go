package password

import (
	"fmt"
	"time"

	"github.com/dlclark/regexp2/v2"
)

// patternTime bounds one match of a pattern: the expression is the site's, but the password is anybody's. One that takes
// longer doesn't match.
const patternTime = 100 * time.Millisecond

// Pattern compiles a regular expression of JavaScript's. It returns whether a password matches it anywhere.
func Pattern(expression string) (func(password string) bool, error) {
	re, err := regexp2.Compile(expression, regexp2.ECMAScript)
	if err != nil {
		return nil, fmt.Errorf("cannot compile a regular expression: %w", err)
	}
	re.MatchTimeout = patternTime
	return func(password string) bool {
		ok, err := re.MatchString(password)
		return ok && err == nil
	}, nil
}
