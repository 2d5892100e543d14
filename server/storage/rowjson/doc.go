// Package rowjson shows the rows of a class as the REST API does: how is worked out once for a class, so that a row costs
// no look-ups and no intermediate maps. What a database's driver makes of a value stays with that database, behind
// Values. The package must not know of SQL or connections.
package rowjson
