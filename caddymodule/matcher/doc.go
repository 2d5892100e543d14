// Package matcher is the matcher parse for Caddy's routes: it matches requests to a Parse API by what they ask for.
//
//	@writes parse {
//		operation write
//		class     Game Score
//	}
//	respond @writes "read only" 403
//
// It must not know apps or workers, and decides nothing beside whether a request matches.
package matcher
