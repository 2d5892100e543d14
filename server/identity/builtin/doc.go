// Package builtin has the auth adapters that come with the server (anonymous, apple, google, facebook, github, any OAuth 2
// provider with token introspection, ldap, mfa) and makes them from the option auth.
//
// It must not know of users, nor of the database.
package builtin
