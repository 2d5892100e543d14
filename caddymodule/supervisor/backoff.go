package supervisor

import "time"

// backoff is the pause before the nth start in a row that follows a worker which didn't stay ready (n from 1): low
// doubled n-1 times, at most high, less a random half of it, so that workers that fail for one reason don't all come
// back at once. r is random, in [0, 1).
func backoff(n int, low, high time.Duration, r float64) time.Duration {
	d := low
	for ; n > 1 && d < high; n-- {
		d *= 2
	}
	d = min(d, high)
	return d - time.Duration(r*float64(d)/2)
}
