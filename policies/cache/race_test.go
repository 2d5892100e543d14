//go:build race

package cache

// racing: the race detector is on, and everything takes several times as long.
const racing = true
