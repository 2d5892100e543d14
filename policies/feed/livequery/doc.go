// Package livequery learns of what Node's Parse Servers write from the messages that they publish to their own LiveQuery
// server over Redis. Messages can be lost, come in another order, and tell only of the classes in liveQuery.classNames, so
// what is cached on their word lives for a few seconds only; a Feed makes it live shorter, never longer.
//
// What a message says of an object was computed by the process that sent it. So fields that it doesn't have are unknown,
// and so is what another recent message about the same object has changed.
//
// It must not know of HTTP, of Caddy, nor what an Applier does with a change.
package livequery
