// Package succession lets one process take the place of another, such as a new version of the program, without a failed
// request. The old process starts the new one and gives it its listening sockets, so that both share one queue of
// connections: what arrives while neither accepts waits there, and nothing is lost when the old one closes its end. They
// talk over a socket between them:
//
//	old                                  new
//	starts it, sends its sockets   →     makes ready what it can
//	                               ←     prepared
//	holds requests back, ends what
//	both can't have at once;  go   →     takes it
//	                               ←     serving
//	connections, requests          →     answers
//	exits                          →     is alone
//
// Until it says that it is serving, the new process has answered nobody: if it fails, the old one goes on.
//
// It knows processes, listening sockets and connections, and must not know HTTP, Caddy, or what the processes do.
package succession
