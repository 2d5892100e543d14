package postgres

import (
	"context"
	"time"
)

const (
	selectKnown = `SELECT result, expires >= $2::timestamptz FROM parsescale._write WHERE id = $1::text`
	insertKnown = `INSERT INTO parsescale._write (id, result, expires) VALUES ($1::text, $2::bytea, $3::timestamptz)`
	claimKnown  = `INSERT INTO parsescale._write (id, expires) VALUES ($1::text, $2::timestamptz) ON CONFLICT DO NOTHING`
	updateKnown = `UPDATE parsescale._write SET result = $2::bytea, expires = $3::timestamptz WHERE id = $1::text`
	sweepKnown  = `DELETE FROM parsescale._write WHERE expires < $1::timestamptz`
)

var (
	sqlKnown       = []byte(selectKnown)
	sqlInsertKnown = []byte(insertKnown)
	sqlClaimKnown  = []byte(claimKnown)
	sqlUpdateKnown = []byte(updateKnown)
	sqlSweep       = []byte(sweepKnown)
)

// sweepEvery is how often expired write ids are deleted.
const sweepEvery = 30 * time.Second

// sweep deletes expired write ids, now and then.
func (s *Store) sweep() {
	now := s.options.Clock()
	last := s.sweeping.Load()
	if now.UnixMilli()-last < sweepEvery.Milliseconds() || !s.sweeping.CompareAndSwap(last, now.UnixMilli()) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.options.Timeout)
	defer cancel()
	err := s.use(ctx, func(c *conn) error { return c.exec(sqlSweep, instant(now)) })
	if err != nil {
		s.options.Logger.Warn("cannot delete expired write ids", "error", err)
	}
}
