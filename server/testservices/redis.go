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

// Redis is a private Redis server.
type Redis struct {
	// Address is its host and port.
	Address string
	// URL is a redis:// address with its password.
	URL string

	start    func(port int) error
	port     int
	password string
	process  *Process
}

// StartRedis starts a Redis server that ends with the test, with further arguments such as --cluster-enabled, yes. It keeps
// nothing on disk.
func StartRedis(tb testing.TB, args ...string) *Redis {
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
	r := &Redis{password: rand.Text()}
	r.start = func(port int) error {
		cmd := exec.Command(binary, append([]string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir,
			"--save", "", "--appendonly", "no", "--daemonize", "no", "--requirepass", r.password}, args...)...)
		cmd.Dir = dir
		who.run(cmd)
		p, err := StartProcess(tb, "Redis", cmd, os.Interrupt)
		if err != nil {
			return err
		}
		r.process, r.port, r.Address = p, port, fmt.Sprintf("127.0.0.1:%d", port)
		r.URL = r.At(r.Address)
		client := redis.NewClient(&redis.Options{Addr: r.Address, Password: r.password, MaxRetries: -1})
		defer client.Close()
		return p.Await(func() error { return client.Ping(context.Background()).Err() })
	}
	retryStart(tb, r.start)
	return r
}

// At is the URL of the server at another address, such as a Proxy's.
func (r *Redis) At(address string) string {
	return fmt.Sprintf("redis://:%s@%s/0", r.password, address)
}

// Kill ends the server as a crash would. What it held is gone.
func (r *Redis) Kill() { r.process.Kill() }

// Restart starts the server again at the same address.
func (r *Redis) Restart(tb testing.TB) {
	tb.Helper()
	if err := r.start(r.port); err != nil {
		tb.Fatal(err)
	}
}
