//go:build !race

package cache

// racing: the race detector is off.
const racing = false
