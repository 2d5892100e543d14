package sqlite

import (
	"context"
	"fmt"

	"github.com/parsescale/parsescale/server/storage"
)

// Read implements storage.Store.
func (s *Store) Read(ctx context.Context, f func(storage.Snapshot) error) error {
	if err := s.gate.Enter(); err != nil {
		return err
	}
	defer s.gate.Leave()
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.slots }()
	c, err := s.reader()
	if err != nil {
		return err
	}
	defer s.park(c)
	cur, st, err := openState(c)
	if err != nil {
		return fmt.Errorf("cannot read the database: %w", err)
	}
	defer cur.close()
	cat, err := s.at(c, st.schema)
	if err != nil {
		return err
	}
	return f(&snapshot{conn: c, catalog: cat})
}

// Written implements storage.Store.
func (s *Store) Written(ctx context.Context, id string) (result []byte, found bool, err error) {
	if err := s.gate.Enter(); err != nil {
		return nil, false, err
	}
	defer s.gate.Leave()
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	defer func() { <-s.slots }()
	c, err := s.reader()
	if err != nil {
		return nil, false, err
	}
	defer s.park(c)
	return c.kept(id, s.options.Clock())
}

// reader returns a connection that nobody uses. The caller holds a slot.
func (s *Store) reader() (*conn, error) {
	s.idle.Lock()
	if n := len(s.idle.conns); n > 0 {
		c := s.idle.conns[n-1]
		s.idle.conns = s.idle.conns[:n-1]
		s.idle.Unlock()
		return c, nil
	}
	s.idle.Unlock()
	return connect(s.driver, s.location.dsn("busy_timeout(10000)", "query_only(1)", "temp_store(MEMORY)", "cache_size(-8000)"))
}

func (s *Store) park(c *conn) {
	s.idle.Lock()
	s.idle.conns = append(s.idle.conns, c)
	s.idle.Unlock()
}
