package postgres

// What parse-server creates at its start, to the letter: it tells errors from the names of indexes, and leans on the
// functions.

type systemIndex struct{ name, create string }

// indexes of the system's classes.
var indexes = []systemIndex{
	{"_User_unique_username", `CREATE UNIQUE INDEX IF NOT EXISTS "_User_unique_username" ON "_User"("username")`},
	{"case_insensitive_username", `CREATE INDEX IF NOT EXISTS "case_insensitive_username" ON "_User" (lower("username") varchar_pattern_ops)`},
	{"case_insensitive_email", `CREATE INDEX IF NOT EXISTS "case_insensitive_email" ON "_User" (lower("email") varchar_pattern_ops)`},
	{"_User_unique_email", `CREATE UNIQUE INDEX IF NOT EXISTS "_User_unique_email" ON "_User"("email")`},
	{"_email_verify_token", `CREATE INDEX IF NOT EXISTS "_email_verify_token" ON "_User" ("_email_verify_token")`},
	{"_perishable_token", `CREATE INDEX IF NOT EXISTS "_perishable_token" ON "_User" ("_perishable_token")`},
	{"_Role_unique_name", `CREATE UNIQUE INDEX IF NOT EXISTS "_Role_unique_name" ON "_Role"("name")`},
	{"_Idempotency_unique_reqId", `CREATE UNIQUE INDEX IF NOT EXISTS "_Idempotency_unique_reqId" ON "_Idempotency"("reqId")`},
	{"ttl", `CREATE INDEX IF NOT EXISTS "ttl" ON "_Idempotency" ("expire")`},
}

// functions that parse-server's updates and queries call.
var functions = []struct{ name, create string }{
	{"json_object_set_key", `CREATE OR REPLACE FUNCTION json_object_set_key("json" jsonb, key_to_set text, value_to_set anyelement) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT AS $$
SELECT ("json" - key_to_set) || jsonb_build_object(key_to_set, to_json("value_to_set")::jsonb) $$`},
	{"array_add", arrayFunction("array_add", "jsonb", `SELECT to_jsonb(ARRAY(SELECT DISTINCT jsonb_array_elements("array")) || ARRAY(SELECT jsonb_array_elements("values")))`)},
	{"array_add_unique", arrayFunction("array_add_unique", "jsonb", `SELECT to_jsonb(ARRAY(SELECT jsonb_array_elements("array") UNION SELECT jsonb_array_elements("values")))`)},
	{"array_remove", arrayFunction("array_remove", "jsonb", `SELECT to_jsonb(ARRAY(SELECT e FROM jsonb_array_elements("array") AS e WHERE e NOT IN (SELECT jsonb_array_elements("values"))))`)},
	{"array_contains", arrayFunction("array_contains", "boolean", `SELECT EXISTS (SELECT 1 FROM jsonb_array_elements("array") AS e WHERE e IN (SELECT jsonb_array_elements("values")))`)},
	{"array_contains_all", arrayFunction("array_contains_all", "boolean", `SELECT jsonb_array_length("values") > 0 AND jsonb_array_length("values") =
(SELECT count(*) FROM jsonb_array_elements_text("array") AS e WHERE e IN (SELECT jsonb_array_elements_text("values")))`)},
	{"array_contains_all_regex", arrayFunction("array_contains_all_regex", "boolean", `SELECT jsonb_array_length("values") > 0 AND jsonb_array_length("values") =
(SELECT count(*) FROM jsonb_array_elements_text("array") AS e WHERE e LIKE ANY (SELECT jsonb_array_elements_text("values")))`)},
	{"idempotency_delete_expired_records", `CREATE OR REPLACE FUNCTION idempotency_delete_expired_records() RETURNS void LANGUAGE plpgsql AS $$
BEGIN DELETE FROM "_Idempotency" WHERE expire < now() - INTERVAL '300 seconds'; END $$`},
}

func arrayFunction(name, returns, body string) string {
	return "CREATE OR REPLACE FUNCTION " + name + `("array" jsonb, "values" jsonb) RETURNS ` + returns + " LANGUAGE sql IMMUTABLE STRICT AS $$ " + body + " $$"
}
