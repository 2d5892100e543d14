// Package caddymodule is the glue between Caddy and Parsescale: the parse app and its global option, the parse handler
// and its directive, the admin routes and the subcommands. What is decided is decided in policies; what a Parse worker
// does is in server; this package reads configuration, keeps state across reloads and moves bytes.
//
//	{
//		parse {
//			workers 2 {
//				app_id       myAppId
//				database_uri sqlite://data/parse.db
//			}
//		}
//	}
//	:1337 {
//		parse /parse/*
//	}
package caddymodule
