// Package mail sends users the links with which they verify their addresses and reset their passwords. A Postman takes
// such letters without ever waiting, and gives them to an Adapter: SMTP, a file for development, or one of the site's own.
//
// It must not know of HTTP, of the database, nor of who may ask for a letter.
package mail
