package testservices

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
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
	// A password of its own makes sure that an answer comes from this server and no other.
	return startRedis(tb, rand.Text(), args...)
}

// StartReplica starts a second server that follows this one, with the same password, until Promote. It ends with the test, and
// has all that this one holds once it is started.
func (r *Redis) StartReplica(tb testing.TB) *Redis {
	tb.Helper()
	replica := startRedis(tb, r.password, "--replicaof", "127.0.0.1", strconv.Itoa(r.port), "--masterauth", r.password)
	client := replica.client()
	defer client.Close()
	if err := replica.process.Await(func() error {
		info, err := client.Info(context.Background(), "replication").Result()
		if err == nil && !strings.Contains(info, "master_link_status:up") {
			err = errors.New("it doesn't follow yet")
		}
		return err
	}); err != nil {
		tb.Fatal(err)
	}
	return replica
}

// Promote has a replica follow nobody any more, and take writes.
func (r *Redis) Promote(tb testing.TB) {
	tb.Helper()
	client := r.client()
	defer client.Close()
	if err := client.SlaveOf(context.Background(), "NO", "ONE").Err(); err != nil {
		tb.Fatal(err)
	}
}

// Trim empties the streams whose keys match a pattern, of which there must be one.
func (r *Redis) Trim(tb testing.TB, pattern string) {
	tb.Helper()
	client := r.client()
	defer client.Close()
	keys, err := client.Keys(context.Background(), pattern).Result()
	if err != nil || len(keys) == 0 {
		tb.Errorf("%d streams match %s, %v", len(keys), pattern, err)
	}
	for _, key := range keys {
		if err := client.XTrimMaxLen(context.Background(), key, 0).Err(); err != nil {
			tb.Error(err)
		}
	}
}

func startRedis(tb testing.TB, password string, args ...string) *Redis {
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
	r := &Redis{password: password}
	r.start = func(port int) error {
		cmd := exec.Command(binary, append([]string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir,
			"--save", "", "--appendonly", "no", "--daemonize", "no", "--requirepass", r.password,
			"--repl-diskless-sync-delay", "0"}, args...)...)
		cmd.Dir = dir
		who.run(cmd)
		p, err := StartProcess(tb, "Redis", cmd, os.Interrupt)
		if err != nil {
			return err
		}
		r.process, r.port, r.Address = p, port, fmt.Sprintf("127.0.0.1:%d", port)
		r.URL = r.At(r.Address)
		client := r.client()
		defer client.Close()
		return p.Await(func() error { return client.Ping(context.Background()).Err() })
	}
	retryStart(tb, r.start)
	return r
}

func (r *Redis) client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: r.Address, Password: r.password, MaxRetries: -1})
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
