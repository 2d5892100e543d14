package testservices

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Redis is a running private Redis server.
type Redis struct {
	// Address is its host and port.
	Address string
	// URL is a redis:// address with its password.
	URL string
}

// StartRedis starts a Redis server that ends with the test. It keeps nothing on disk.
func StartRedis(tb testing.TB) *Redis {
	tb.Helper()
	Need(tb, "redis-server")
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		tb.Fatalf("cannot start Redis: %v", err)
	}
	who, err := unprivileged("redis", "nobody")
	if err != nil {
		tb.Fatal(err)
	}
	dir, err := folder(tb, "redis", who)
	if err != nil {
		tb.Fatal(err)
	}
	// A password of its own makes sure that an answer comes from this server and no other.
	password := rand.Text()
	var r *Redis
	retryStart(tb, func(port int) error {
		cmd := exec.Command(binary, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir,
			"--save", "", "--appendonly", "no", "--daemonize", "no", "--requirepass", password)
		cmd.Dir = dir
		who.run(cmd)
		p, err := StartProcess(tb, "Redis", cmd, os.Interrupt)
		if err != nil {
			return err
		}
		r = &Redis{Address: fmt.Sprintf("127.0.0.1:%d", port), URL: fmt.Sprintf("redis://:%s@127.0.0.1:%d/0", password, port)}
		client := redis.NewClient(&redis.Options{Addr: r.Address, Password: password, MaxRetries: -1})
		defer client.Close()
		return p.Await(func() error { return client.Ping(context.Background()).Err() })
	})
	return r
}
