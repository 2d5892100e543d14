package decoding

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// The reasons for which a database can't be followed until somebody changes something. Each says what.
var (
	ErrPooler   = errors.New("there is a connection pooler (such as PgBouncer) between the gateway and PostgreSQL; give the feed the server's own address")
	ErrVersion  = errors.New("PostgreSQL 14 or later is needed")
	ErrStandby  = errors.New("the server is a standby; give the feed the primary's address")
	ErrWALLevel = errors.New("the server doesn't log enough; set wal_level = logical in postgresql.conf and restart PostgreSQL")
	// Whoever reads the log tells the server how far, and a server that takes the reader for a standby would answer for the
	// safety of a commit with that.
	ErrStandbys  = errors.New("synchronous_standby_names counts everybody who reads the log, and so the gateway, as a standby; name the standbys there")
	ErrRight     = errors.New("the database user lacks a right")
	ErrSlots     = errors.New("the server has no replication slot or sender left; raise max_replication_slots and max_wal_senders")
	ErrLogin     = errors.New("the server refuses the login")
	ErrTable     = errors.New("a table can't be followed")
	ErrPublished = errors.New("the publication isn't as it should be")
	ErrRetained  = errors.New("the server had to keep too much of its log for this gateway")
)

// permanent are the reasons above.
var permanent = []error{ErrPooler, ErrVersion, ErrStandby, ErrWALLevel, ErrStandbys, ErrRight, ErrSlots, ErrLogin, ErrTable, ErrPublished, ErrRetained}

// isPermanent reports whether trying again at once is of no use.
func isPermanent(err error) bool {
	for _, p := range permanent {
		if errors.Is(err, p) {
			return true
		}
	}
	return false
}

// explain gives an error of PostgreSQL its reason, by its code.
func explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		if isPermanent(err) {
			return err
		}
		return fmt.Errorf("cannot %s: %w", doing, err)
	}
	reason := error(nil)
	switch {
	case strings.Contains(pg.Message, "unsupported startup parameter"):
		reason = ErrPooler // as PgBouncer says to a connection for replication
	case pg.Code == "42501":
		reason = ErrRight
	case pg.Code == "53400", pg.Code == "53300" && strings.Contains(doing, "log"):
		reason = ErrSlots
	case strings.HasPrefix(pg.Code, "28"):
		reason = ErrLogin
	case pg.Code == "55000" && strings.Contains(pg.Message, "wal_level"):
		reason = ErrWALLevel
	}
	if reason == nil {
		return fmt.Errorf("cannot %s: %w", doing, err)
	}
	return fmt.Errorf("cannot %s: %w: %w", doing, reason, pg)
}
