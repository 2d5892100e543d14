package main

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"time"

	_ "modernc.org/sqlite"
)

type sqliteStore struct {
	reads, writes           *sql.DB
	byID, byKind, insertion *sql.Stmt
}

const sqliteTable = `CREATE TABLE IF NOT EXISTS "LoadTest" ("objectId" TEXT NOT NULL PRIMARY KEY, "createdAt" INTEGER, "updatedAt" INTEGER,
	"n" REAL, "kind" TEXT, "title" TEXT, "sold" INTEGER, "tags" TEXT, "nested" TEXT, "_rperm" TEXT, "_wperm" TEXT) STRICT;
CREATE INDEX IF NOT EXISTS "LoadTest_kind" ON "LoadTest"("kind")`

// The ACL's condition is a worker's.
const sqliteSelect = `SELECT "objectId","createdAt","updatedAt","n","kind","title","sold","tags","nested" FROM "LoadTest"
	WHERE ("_rperm" IS NULL OR EXISTS (SELECT 1 FROM json_each("_rperm") AS e WHERE e.value IN ('*'))) AND `

func openSQLite(path string, connections int) (store, error) {
	open := func(n int) (*sql.DB, error) {
		db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+
			"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-16000)&_txlock=immediate")
		if err == nil {
			db.SetMaxOpenConns(n)
			db.SetMaxIdleConns(n)
		}
		return db, err
	}
	s := &sqliteStore{}
	var err error
	if s.writes, err = open(1); err != nil {
		return nil, err
	}
	if _, err = s.writes.Exec(sqliteTable); err != nil {
		return nil, err
	}
	if s.reads, err = open(connections); err != nil {
		return nil, err
	}
	if s.byID, err = s.reads.Prepare(sqliteSelect + `"objectId"=? LIMIT 1`); err != nil {
		return nil, err
	}
	if s.byKind, err = s.reads.Prepare(sqliteSelect + `"kind"=? LIMIT ?`); err != nil {
		return nil, err
	}
	s.insertion, err = s.writes.Prepare(`INSERT INTO "LoadTest" ("objectId","createdAt","updatedAt","n","kind","title","sold","tags","nested") VALUES (?,?,?,?,?,?,?,?,?)`)
	return s, err
}

func scanSQLite(dst []byte, scan func(...any) error) ([]byte, error) {
	var id string
	var created, updated int64
	var tags, nested []byte
	var o object
	if err := scan(&id, &created, &updated, &o.N, &o.Kind, &o.Title, &o.Sold, &tags, &nested); err != nil {
		return dst, err
	}
	o.Tags, o.Nested = tags, nested
	return appendRow(dst, id, time.UnixMilli(created).UTC(), time.UnixMilli(updated).UTC(), &o), nil
}

func (s *sqliteStore) get(ctx context.Context, dst []byte, id string) ([]byte, bool, error) {
	dst, err := scanSQLite(dst, s.byID.QueryRowContext(ctx, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return dst, false, nil
	}
	return dst, err == nil, err
}

func (s *sqliteStore) find(ctx context.Context, dst []byte, kind string, limit int) ([]byte, error) {
	rows, err := s.byKind.QueryContext(ctx, kind, limit)
	if err != nil {
		return dst, err
	}
	defer rows.Close()
	for first := true; rows.Next(); first = false {
		if !first {
			dst = append(dst, ',')
		}
		if dst, err = scanSQLite(dst, rows.Scan); err != nil {
			return dst, err
		}
	}
	return dst, rows.Err()
}

func (s *sqliteStore) create(ctx context.Context, o *object) error {
	at := o.Created.UnixMilli()
	_, err := s.insertion.ExecContext(ctx, o.ID, at, at, o.N, o.Kind, o.Title, o.Sold, string(o.Tags), string(o.Nested))
	return err
}
