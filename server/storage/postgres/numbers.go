package postgres

import (
	"errors"
	"sync"
)

// numbers are some that were taken from the sequence of changes for inserts to come.
type numbers struct {
	mu    sync.Mutex
	spare []uint64
}

// take returns a number, 0 if there is none.
func (n *numbers) take() (number uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if last := len(n.spare) - 1; last >= 0 {
		number, n.spare = n.spare[last], n.spare[:last]
	}
	return number
}

func (n *numbers) put(number uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.spare = append(n.spare, number)
}

// number takes a number for a change.
func (c *conn) number(n *uint64) error {
	c.send(sqlOrder, nil)
	if err := c.sync(); err != nil {
		return err
	}
	err := c.rows(func(row [][]byte) { *n = uint64(bigint(row[0])) })
	return errors.Join(err, c.end())
}
