// Package config is what an operator says about a worker: parse-server's own options under their own names, where they
// come from (command line, environment, a JSON file, defaults), which of them this worker honours, and the checks that
// parse-server makes before it starts.
//
// It must not know how any option is carried out: it opens no database, no file store and no socket.
package config
