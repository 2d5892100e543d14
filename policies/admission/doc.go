// Package admission decides how many requests a pool of workers gets at once, which ones wait for a moment, and which
// are refused at once because waiting would only make all of them late.
//
// The limit follows the workers: while answers to reads take about as long as they usually do it grows, when they take
// longer it shrinks (Gradient2). Beyond the limit a bounded queue holds requests for a bounded time, the more important
// before the less important. Each priority may fill only a part of the limit, so that what is left is there for the
// more important ones, and for requests which the app's own code sends while it answers another one.
//
// It must not know HTTP, Caddy, what a request asks for, or who the workers are: a request is a priority, a kind and a
// size.
package admission
