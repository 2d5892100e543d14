// Package inspect tells what a request on its way through Caddy's handlers asks of a Parse API: whether it is below the
// mount, and what policies/request makes of it and of as much of its body as that takes. What was read is put back.
//
// It must not know apps, workers or answers.
package inspect
