package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestUpgradeSlowReader upgrades while a client reads its answer slowly. It gets all of it in any case. An answer that is there as a
// whole doesn't hold the upgrade up; one that a worker is still sending does, so that this goes on for a while and then fails.
func TestUpgradeSlowReader(t *testing.T) {
	t.Parallel() // it waits more than it works
	const size = 6 << 20
	for _, test := range []struct {
		name, path string
		headers    string
		objects    int
		fails      string
	}{
		{"one that is there", "/classes/Large?limit=1", "", 1, ""},
		{"one from the cache", "/classes/Large?limit=1&order=objectId", "", 1, ""},
		{"one that a worker sends", "/classes/Large", "", 2, "1 requests are still under way after 10s"},
		{"one that reverse_proxy sends", "/classes/Large", "X-Via: proxy\r\n", 2, "1 answers of workers are still being sent after 10s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := startUpgradable(t, strings.Replace(
				strings.Replace(composedRoutes(""), "parse /parse/*", "parse /parse/* {\n\t\t\tcache {\n\t\t\t\tmax_object 16MB\n\t\t\t}\n\t\t}", 1),
				`respond @write_to_secret "read only" 403`, "", 1)) // objects this large are too much for a matcher
			c := newClient(t, g.url())
			for range 2 {
				c.create(t, "Large", fmt.Sprintf(`{"text":%q}`, strings.Repeat("x", size)))
			}
			if strings.Contains(test.path, "order") {
				c.stored(t, test.path)
			}
			d := net.Dialer{}
			slow, err := d.Dial("tcp", g.address)
			if err != nil {
				t.Fatal(err)
			}
			defer slow.Close()
			_ = slow.(*net.TCPConn).SetReadBuffer(64 << 10)
			fmt.Fprintf(slow, "GET /parse%s HTTP/1.1\r\nHost: %s\r\nX-Parse-Application-Id: %s\r\nX-Parse-REST-API-Key: %s\r\n%s\r\n", test.path, g.address, appID, restKey, test.headers)
			in := bufio.NewReaderSize(slow, 1<<10)
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			begun := time.Now()
			out, err := g.tryUpgrade()
			t.Log(strings.TrimSpace(out))
			switch {
			case test.fails == "" && err != nil, test.fails != "" && (err == nil || !strings.Contains(out, test.fails)):
				t.Errorf("%v: %s", err, out)
			case test.fails == "" && time.Since(begun) > 8*time.Second:
				t.Errorf("it took %s", time.Since(begun))
			}
			_ = slow.(*net.TCPConn).SetReadBuffer(4 << 20)
			var got struct{ Results []struct{ Text string } }
			if err := json.NewDecoder(res.Body).Decode(&got); err != nil || len(got.Results) != test.objects || len(got.Results[0].Text) != size {
				t.Errorf("the answer has %d objects, %v", len(got.Results), err)
			}
			c.create(t, "After", `{"n":1}`)
		})
	}
}
