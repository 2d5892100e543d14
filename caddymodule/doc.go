// Package caddymodule is the glue between Caddy and Parsescale.
package caddymodule

import (
	_ "github.com/dlclark/regexp2/v2"
	_ "github.com/dustin/go-humanize"
	_ "github.com/go-json-experiment/json/jsontext"
	_ "github.com/hashicorp/golang-lru/v2"
	_ "github.com/redis/go-redis/v9"
	_ "github.com/sony/gobreaker/v2"
	_ "github.com/zeebo/xxh3"
	_ "go.uber.org/goleak"
	_ "golang.org/x/crypto/bcrypt"
	_ "golang.org/x/sys/unix"
	_ "modernc.org/sqlite"
	_ "pgregory.net/rapid"
)
