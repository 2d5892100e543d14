// Package request tells what a request to the Parse REST API asks for, as far as a gateway can see it: application,
// credentials, operation, class, query, whether it may change anything and what, and whether its answer may be cached
// and under which key.
//
// It reads a request as parse-server does (method override, credentials in bodies, letter case and trailing slashes of
// paths), and it reads strictly: what it can't read, or what two readers might read differently, is a write of
// unknown effect that nobody caches. Calling a read a write costs time; calling a write a read would lose updates,
// and confusing two callers would leak data.
//
// It must not know keys or applications, nor decide whether a request is allowed: the worker does.
package request
