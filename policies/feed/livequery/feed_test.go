package livequery

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/parsescale/parsescale/policies/feed"
	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/testservices"
)

// recorder is an Applier that writes down what it is told.
type recorder struct {
	mu    sync.Mutex
	lines []string
}

func (r *recorder) Prepare(changes []change.Change) func() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range changes {
		r.lines = append(r.lines, show(&changes[i]))
	}
	return func() {}
}

func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := r.lines
	r.lines = nil
	return lines
}

// TestFeed publishes as parse-server does, and breaks the connection: a loss is told as a change of everything, and so is
// the return.
func TestFeed(t *testing.T) {
	server := testservices.StartRedis(t)
	options, err := redis.ParseURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer client.Close()
	const everything = "purge  "
	const object = `{"currentParseObject":{"n":1,"objectId":"o","className":"A"}}`
	for _, app := range []string{"app", ""} {
		var told recorder
		f := New(Options{
			App: app, Redis: options, Applier: &told, Beat: 100 * time.Millisecond, Again: 20 * time.Millisecond, MaxMessage: 1000,
			Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		await := func(what string, ok func() bool) {
			t.Helper()
			for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("waited in vain until %s: %+v", what, f.Status())
				}
			}
		}
		live := func() bool { return f.State() == feed.Live }
		send := func(channel, payload string) {
			t.Helper()
			if err := client.Publish(t.Context(), channel, payload).Err(); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			f.Run(ctx)
		}()
		await("the messages are heard", live)
		for _, c := range []struct {
			name, channel, payload, want string
		}{
			{"a deletion", "appafterDelete", object, `delete A o before {n:1,objectId:"o"}`},
			{"a message that makes no sense", "appafterSave", `{"x":1}`, everything},
			{"a message that is too large", "appafterSave", strings.Replace(object, "1", strings.Repeat("1", 1000), 1), everything},
		} {
			told.take()
			heard := f.Status().Messages
			send(c.channel, c.payload)
			await(c.name+" is heard", func() bool { return f.Status().Messages == heard+1 })
			if got := told.take(); !slices.Equal(got, []string{c.want}) {
				t.Errorf("%q, %s: told %q, want %q", app, c.name, got, c.want)
			}
		}
		for _, c := range []struct {
			name string
			cut  func() error
		}{
			{"the connection is closed", func() error { return client.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err() }},
			{"the server is silent", func() error { return client.Do(t.Context(), "CLIENT", "PAUSE", "1000", "ALL").Err() }},
		} {
			told.take()
			losses := f.Status().Losses
			if err := c.cut(); err != nil {
				t.Fatal(err)
			}
			await(c.name+": it is lost", func() bool { return f.Status().Losses == losses+1 })
			await(c.name+": it is heard again", live)
			if got := told.take(); !slices.Equal(got, []string{everything, everything}) {
				t.Errorf("%q, %s: told %q, want everything at the loss and at the return", app, c.name, got)
			}
		}
		cancel()
		<-ended
		if f.State() != feed.Lost {
			t.Errorf("after the end the state is %s", f.State())
		}
	}
}
