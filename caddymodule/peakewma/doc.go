// Package peakewma is the policy peak_ewma for Caddy's reverse_proxy: policies/balance, told by the handler's transport of
// every attempt, how long it took and what came of it.
//
//	reverse_proxy 10.0.0.1:1337 10.0.0.2:1337 {
//		lb_policy peak_ewma
//	}
//
// It must not know apps or workers; a transport that has its own way to choose implements Chooser.
package peakewma
