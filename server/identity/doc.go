// Package identity knows who users are at auth providers. An Adapter verifies what clients send as authData of one
// provider; Providers are all adapters of an app, and take authData through the steps of parse-server's adapters.
//
// It must not know of HTTP requests to this server, nor of the database: what a user has stored is passed in, and what is
// to be stored is returned. Adapters may be slow, so they are asked outside of transactions.
package identity
