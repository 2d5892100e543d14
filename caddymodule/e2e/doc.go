// Package e2e proves the whole: it builds the parsescale binary, runs it as a user does, and talks to it as clients do:
// with the real Parse JavaScript SDK and with plain HTTP, in front of the bundled workers and of released Parse Server
// processes, and while processes are killed. It holds tests only and must know nothing of the packages they prove: it
// sees what a client, an operator and a kernel see.
//
// linearity judges what clients have seen of single objects. package.json pins the programs of others that take part;
// sdk.mjs is the SDK's script.
package e2e
