package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/testservices"
)

// TestLiveQueryWrites puts a gateway that hears parse-server's LiveQuery messages in front of one Parse Server, while
// another one writes to the same database. The second one publishes what is written to Thing, and nothing of Other.
func TestLiveQueryWrites(t *testing.T) {
	t.Parallel() // it waits more than it works
	testservices.Need(t, "Node with the npm package parse-server, postgresql with postgis, and redis-server")
	redis := testservices.StartRedis(t)
	servers := startParseServers(t, 2, map[string]any{"liveQuery": map[string]any{"classNames": []string{"Thing"}, "redisURL": redis.URL}})
	g := startGateway(t, strings.Replace(remoteApp(servers[0].Address), "cache {", "feed livequery "+redis.URL+"\n\t\tcache {", 1))
	own, other := newClient(t, g.url()), newClient(t, servers[1].URL())
	await := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited in vain until %s", what)
			}
		}
	}
	await("the level is lossy", func() bool {
		s, err := g.status()
		if err != nil {
			t.Fatal(err)
		}
		for _, app := range s.Apps {
			return app.Level == "lossy"
		}
		return false
	})
	get := func(class string) answer {
		t.Helper()
		a, err := own.do("GET", "/classes/"+class+`?where={"n":{"$gt":0}}`, "")
		if err != nil || a.status != 200 {
			t.Fatal(a.status, a.body, err)
		}
		return a
	}
	// change has the other server change an object as soon as an answer with it is cached, and returns how long that answer was given.
	change := func(class, id string, n int) time.Duration {
		t.Helper()
		await("an answer expires", func() bool { return !strings.HasSuffix(get(class).header.Get("Cache-Status"), "; hit") })
		await("an answer is cached", func() bool { return strings.HasSuffix(get(class).header.Get("Cache-Status"), "; hit") })
		ask(t, other, "PUT", "/classes/"+class+"/"+id, fmt.Sprintf(`{"n":%d}`, n), 200)
		written := time.Now()
		await("a foreign write is seen", func() bool { return strings.Contains(get(class).body, fmt.Sprintf(`"n":%d`, n)) })
		return time.Since(written)
	}
	ids := map[string]string{}
	for _, class := range []string{"Thing", "Other"} {
		ids[class] = fmt.Sprint(ask(t, own, "POST", "/classes/"+class, `{"n":1}`, 201)["objectId"])
		ask(t, own, "PUT", "/classes/"+class+"/"+ids[class], `{"n":2}`, 200)
		if a := get(class); !strings.Contains(a.body, `"n":2`) {
			t.Errorf("after an own write to %s: %s", class, a.body)
		}
	}
	// The answer would live for five seconds, and in the class that isn't published it does.
	published, silent := change("Thing", ids["Thing"], 3), change("Other", ids["Other"], 3)
	t.Logf("seen after %s, and after %s without a message", published, silent)
	if published > 2*time.Second || silent < 2*time.Second || silent > 7*time.Second {
		t.Errorf("a foreign write was seen after %s, without a message after %s", published, silent)
	}
}
