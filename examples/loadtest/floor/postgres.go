package main

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

type postgresStore struct{ pool *pgxpool.Pool }

// parse-server's layout.
const postgresTable = `CREATE TABLE IF NOT EXISTS "LoadTest" ("objectId" text PRIMARY KEY, "createdAt" timestamptz, "updatedAt" timestamptz,
	"n" double precision, "kind" text, "title" text, "sold" boolean, "tags" jsonb, "nested" jsonb, "_rperm" text[], "_wperm" text[]);
CREATE INDEX IF NOT EXISTS "LoadTest_kind" ON "LoadTest"("kind")`

// The ACL's condition is a worker's.
const postgresSelect = `SELECT "objectId","createdAt","updatedAt","n","kind","title","sold","tags","nested" FROM "LoadTest"
	WHERE ("_rperm" IS NULL OR "_rperm" && ARRAY['*']) AND `

func openPostgres(ctx context.Context, uri string, connections int) (store, error) {
	c, err := pgxpool.ParseConfig(uri)
	if err != nil {
		return nil, err
	}
	c.MaxConns = int32(connections) //nolint:gosec // a handful
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, err
	}
	_, err = pool.Exec(ctx, postgresTable)
	return &postgresStore{pool}, err
}

// appendRaw appends a row; jsonb in its binary form is its text behind a byte with the version.
func appendRaw(dst []byte, rows pgx.Rows) ([]byte, error) {
	var id string
	var created, updated time.Time
	var o object
	if err := rows.Scan(&id, &created, &updated, &o.N, &o.Kind, &o.Title, &o.Sold, &o.Tags, &o.Nested); err != nil {
		return dst, err
	}
	return appendRow(dst, id, created.UTC(), updated.UTC(), &o), nil
}

func (s *postgresStore) query(ctx context.Context, dst []byte, sql string, args ...any) ([]byte, error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return dst, err
	}
	defer rows.Close()
	first := true
	for ; rows.Next(); first = false {
		if !first {
			dst = append(dst, ',')
		}
		if dst, err = appendRaw(dst, rows); err != nil {
			return dst, err
		}
	}
	if err := rows.Err(); err != nil {
		return dst, err
	}
	if first {
		return dst, errNoRow
	}
	return dst, nil
}

func (s *postgresStore) get(ctx context.Context, dst []byte, id string) ([]byte, bool, error) {
	dst, err := s.query(ctx, dst, postgresSelect+`"objectId"=$1 LIMIT 1`, id)
	if errors.Is(err, errNoRow) {
		return dst, false, nil
	}
	return dst, err == nil, err
}

func (s *postgresStore) find(ctx context.Context, dst []byte, kind string, limit int) ([]byte, error) {
	dst, err := s.query(ctx, dst, postgresSelect+`"kind"=$1 LIMIT $2`, kind, limit)
	if errors.Is(err, errNoRow) {
		err = nil
	}
	return dst, err
}

func (s *postgresStore) create(ctx context.Context, o *object) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO "LoadTest" ("objectId","createdAt","updatedAt","n","kind","title","sold","tags","nested") VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)`,
		o.ID, o.Created, o.Created, o.N, o.Kind, o.Title, o.Sold, o.Tags, o.Nested)
	return err
}
