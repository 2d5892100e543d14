// Package rest is the HTTP door to a worker: it speaks parse-server's REST API as parse-server 9.10 does, from CORS and
// credentials over routing to the form of answers and errors, and hands what is asked to the read path, the write path
// and the users.
//
// It decides who a caller claims to be (keys, addresses, tokens) but no permission on data, and knows neither SQL nor
// the layout of the database.
package rest
