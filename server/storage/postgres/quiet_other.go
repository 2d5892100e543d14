//go:build !unix

package postgres

// quiet can't be told here.
func (c *conn) quiet() bool { return false }
