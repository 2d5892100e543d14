package sqlite

import "sync"

// memo remembers what was made of the arguments of SQL functions: most are the same for every row of a query.
type memo[K comparable, V any] struct {
	mu   sync.Mutex
	m    map[K]V
	make func(K) (V, error)
}

// maxMemo is how many arguments a memo remembers.
const maxMemo = 128

func newMemo[K comparable, V any](f func(K) (V, error)) *memo[K, V] {
	return &memo[K, V]{m: make(map[K]V), make: f}
}

func (c *memo[K, V]) get(k K) (V, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v, ok := c.m[k]; ok {
		return v, nil
	}
	v, err := c.make(k)
	if err != nil {
		return v, err
	}
	if len(c.m) >= maxMemo {
		clear(c.m)
	}
	c.m[k] = v
	return v, nil
}
