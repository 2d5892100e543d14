package decoding

import (
	"slices"
	"strings"
	"testing"
)

// TestRows compares what statements of a foreign writer do with what the Applier is told.
func TestRows(t *testing.T) {
	t.Parallel()
	h := newHarness(t, layout+`
		CREATE SCHEMA elsewhere; CREATE TABLE elsewhere."Note" (LIKE "Note" INCLUDING ALL);
		CREATE TABLE unrelated (n int);
		CREATE TABLE "Full" ("objectId" text PRIMARY KEY, "title" text, "count" float8);
		ALTER TABLE "Full" REPLICA IDENTITY FULL;
		ALTER TABLE "Note" ALTER "title" SET STORAGE EXTERNAL;
		ALTER TABLE "Full" ALTER "title" SET STORAGE EXTERNAL;
		INSERT INTO "_SCHEMA" VALUES ('Full', '{"fields":{"title":{"type":"String"},"count":{"type":"Number"}}}', true);
		INSERT INTO "Note" ("objectId", "title") VALUES ('old1', 'x'), ('old2', repeat('long', 3000)), ('old3', 'x'), ('old4', 'x');
		INSERT INTO "Full" VALUES ('f1', 'a', 1), ('f2', repeat('long', 3000), 1), ('f3', 'b', 3), ('f4', 'c', 4)`)
	h.start()
	for _, c := range []struct {
		name, sql string
		want      []string
	}{
		{"a row with values of every type", `INSERT INTO "Note" VALUES ('n1', '2026-01-02 03:04:05.678+01', NULL, 'a "title"', 1.5, true, 'u1', '(10,20)', '((1,2),(3,4),(5,6))',
			'{"a": [1, {"__type": "Pointer", "className": "C", "objectId": "o"}], "b": null}', 'f.txt', '{*,"role:a b"}', '{}')`,
			[]string{`create Note n1 after {"_rperm":["*","role:a b"],"_wperm":[],"area":{"__type":"Polygon","coordinates":[[2,1],[4,3],[6,5]]},"count":1.5,` +
				`"createdAt":{"__type":"Date","iso":"2026-01-02T02:04:05.678Z"},"data":{"a":[1,{"__type":"Pointer","className":"C","objectId":"o"}],"b":null},"done":true,` +
				`"file":{"__type":"File","name":"f.txt"},"objectId":"n1","owner":{"__type":"Pointer","className":"_User","objectId":"u1"},` +
				`"place":{"__type":"GeoPoint","latitude":20,"longitude":10},"title":"a \"title\""} tags?`}},
		{"an update tells nothing of the row before", `UPDATE "Note" SET "count" = 7 WHERE "objectId" = 'old1'`,
			[]string{`update Note old1 after {"count":7,"objectId":"old1","title":"x"} tags?`}},
		{"a large value that is left alone is unknown", `UPDATE "Note" SET "count" = 8 WHERE "objectId" = 'old2'`,
			[]string{`update Note old2 after {"count":8,"objectId":"old2"} tags? title?`}},
		{"a deletion", `DELETE FROM "Note" WHERE "objectId" = 'old3'`, []string{`delete Note old3`}},
		{"another id", `UPDATE "Note" SET "objectId" = 'new4' WHERE "objectId" = 'old4'`,
			[]string{`delete Note old4`, `create Note new4 after {"objectId":"new4","title":"x"} tags?`}},
		{"full identity: an update", `UPDATE "Full" SET "count" = 2 WHERE "objectId" = 'f1'`,
			[]string{`update Full f1 before {"count":1,"objectId":"f1","title":"a"} after {"count":2,"objectId":"f1","title":"a"}`}},
		{"full identity: a large value", `UPDATE "Full" SET "count" = 2 WHERE "objectId" = 'f2'`,
			[]string{`update Full f2 before {"count":1,"objectId":"f2","title":12000 bytes} after {"count":2,"objectId":"f2","title":12000 bytes}`}},
		{"full identity: a deletion", `DELETE FROM "Full" WHERE "objectId" = 'f3'`, []string{`delete Full f3 before {"count":3,"objectId":"f3","title":"b"}`}},
		{"full identity: another id", `UPDATE "Full" SET "objectId" = 'g4' WHERE "objectId" = 'f4'`,
			[]string{`delete Full f4 before {"count":4,"objectId":"f4","title":"c"}`, `create Full g4 after {"count":4,"objectId":"g4","title":"c"}`}},
		{"a member of a relation comes, and once more, and goes", `INSERT INTO "_Join:tags:Note" VALUES ('t1', 'n1'); UPDATE "_Join:tags:Note" SET "owningId" = 'n1'; DELETE FROM "_Join:tags:Note"`,
			[]string{`create _Join:tags:Note after {"owningId":"n1","relatedId":"t1"}`, `create _Join:tags:Note after {"owningId":"n1","relatedId":"t1"}`,
				`delete _Join:tags:Note before {"owningId":"n1","relatedId":"t1"}`}},
		{"a member moves to another owner", `INSERT INTO "_Join:tags:Note" VALUES ('t1', 'n1'); UPDATE "_Join:tags:Note" SET "owningId" = 'n2'`,
			[]string{`create _Join:tags:Note after {"owningId":"n1","relatedId":"t1"}`, `delete _Join:tags:Note before {"owningId":"n1","relatedId":"t1"}`,
				`create _Join:tags:Note after {"owningId":"n2","relatedId":"t1"}`}},
		{"secrets stay where they are", `INSERT INTO "_User" VALUES ('u1', 'ann', 'a@example.com', 'hash', '{"id": 1}')`,
			[]string{`create _User u1 after {"email":"a@example.com","objectId":"u1","username":"ann"} _auth_data_x? _hashed_password? authData?`}},
		{"a truncation", `TRUNCATE "Full", "_Join:tags:Note"`, []string{`purge Full`, `purge _Join:tags:Note`}},
		{"several rows in one transaction, a savepoint given up, a rollback",
			`BEGIN; INSERT INTO "Full" VALUES ('a', 'a'); SAVEPOINT s; INSERT INTO "Full" VALUES ('b', 'b'); ROLLBACK TO s; SAVEPOINT s2; INSERT INTO "Full" VALUES ('c', 'c'); RELEASE s2; COMMIT;
			BEGIN; INSERT INTO "Full" VALUES ('d', 'd'); ROLLBACK`,
			[]string{`create Full a after {"objectId":"a","title":"a"}`, `create Full c after {"objectId":"c","title":"c"}`}},
		{"tables that aren't the app's", `INSERT INTO unrelated VALUES (1); UPDATE unrelated SET n = 2; INSERT INTO elsewhere."Note" ("objectId") VALUES ('x')`, nil},
		{"a field is added: the rows after it are of the new type", `ALTER TABLE "Full" ADD "friend" text;
			UPDATE "_SCHEMA" SET "schema" = jsonb_set("schema", '{fields,friend}', '{"type":"Pointer","targetClass":"_User"}') WHERE "className" = 'Full';
			INSERT INTO "Full" ("objectId", "friend") VALUES ('e', 'u1')`,
			[]string{`schema Full`, `create Full e after {"friend":{"__type":"Pointer","className":"_User","objectId":"u1"},"objectId":"e"}`}},
		{"a text that _SCHEMA doesn't know is unknown", `ALTER TABLE "Full" ADD "secretly" text; INSERT INTO "Full" ("objectId", "secretly") VALUES ('g', 'x')`,
			[]string{`create Full g after {"objectId":"g"} secretly?`}},
		{"a class with a relation is given up", `DELETE FROM "_SCHEMA" WHERE "className" = 'Note'`, []string{`schema Note`, `schema _Join:tags:Note`}},
		{"rows of a class that _SCHEMA doesn't have are unknown", `INSERT INTO "Note" ("objectId", "title", "count") VALUES ('late', 'x', 1)`,
			[]string{`create Note late after {"count":1,"objectId":"late"} title? …?`}},
		{"a transaction that is too large to be kept is one of whole classes", `BEGIN; INSERT INTO "Full" ("objectId") SELECT 'm' || n FROM generate_series(1, 10001) AS n;
			INSERT INTO "Note" ("objectId") VALUES ('with it'); COMMIT`, []string{`purge Full`, `purge Note`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.T = t
			h.sql(c.sql)
			h.fence()
			h.settled()
			got := h.take()
			if strings.HasPrefix(c.name, "a transaction that is too large") {
				slices.Sort(got) // they are told in any order
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("told:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}
