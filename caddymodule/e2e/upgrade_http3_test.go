package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/parsescale/parsescale/server/testservices"
)

// TestUpgradeHTTP3 upgrades under load by HTTP/3, whose connections can't be given away: the operator is told, and requests on
// connections whose packets now reach the other process fail. All others are answered, those that still reach the old process by the
// new one, and the client is told to use TCP; and what was acknowledged is there.
func TestUpgradeHTTP3(t *testing.T) {
	testservices.NeedTime(t, "some seconds in which both processes have a socket for packets")
	t.Parallel() // it waits more than it works
	port := testservices.FreePort(t)
	g := startUpgradable(t, strings.Replace(bundledApp("", ""), "{\n\tadmin ADMIN", "{\n\tadmin ADMIN\n\tskip_install_trust\n\tauto_https disable_redirects", 1)+
		fmt.Sprintf("https://127.0.0.1:%d {\n\tbind 127.0.0.1\n\ttls internal\n\tparse /parse/*\n}\n", port))
	base := fmt.Sprintf("https://127.0.0.1:%d/parse", port)
	transport := func() *http3.Transport {
		return &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // a certificate of the test's own
	}
	var passed atomic.Int64
	create := func(tr *http3.Transport) error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, "POST", base+"/classes/Datagram", strings.NewReader(`{"n":1}`))
		if err != nil {
			return err
		}
		req.Header.Set("X-Parse-Application-Id", appID)
		req.Header.Set("X-Parse-REST-API-Key", restKey)
		res, err := tr.RoundTrip(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusCreated {
			return fmt.Errorf("%s %s: %w", res.Status, body, err)
		}
		if res.Header.Get("Alt-Svc") == "clear" {
			passed.Add(1)
		}
		return nil
	}
	first := transport()
	if err := g.process.Await(func() error { return create(first) }); err != nil { // the certificate is made
		t.Fatal(err)
	}
	_ = first.Close()

	var made, failed, after atomic.Int64
	var replaced atomic.Bool
	kept := make([]*http3.Transport, 6)
	end := again(len(kept), func(caller int) {
		tr := kept[caller]
		kept[caller] = nil
		if tr == nil {
			tr = transport()
		}
		late := replaced.Load()
		if err := create(tr); err != nil {
			failed.Add(1)
			t.Log(err)
			_ = tr.Close()
			time.Sleep(pauseAfterFailure)
			return
		}
		if made.Add(1); late {
			after.Add(1)
		}
		if caller%2 == 0 { // a connection for each request
			_ = tr.Close()
			return
		}
		kept[caller] = tr
	})
	end = sync.OnceFunc(end)
	t.Cleanup(end)
	time.Sleep(500 * time.Millisecond) // of load
	before := g.process.PID()
	out, err := g.tryUpgrade()
	replaced.Store(true)
	if err != nil || !strings.Contains(out, "Warning: requests by HTTP/3 to ") {
		t.Errorf("%v: %s", err, out)
	}
	time.Sleep(4 * time.Second) // of load, while the old process passes on what it gets
	end()
	for _, tr := range kept {
		if tr != nil {
			_ = tr.Close()
		}
	}
	_ = syscall.Kill(before, syscall.SIGKILL) // it would wait until the connections are over that went astray
	t.Logf("%d requests, %d failed; %d were answered after the upgrade, %d of them by way of the old process", made.Load()+failed.Load(), failed.Load(), after.Load(), passed.Load())
	if n := failed.Load(); n > int64(2*len(kept)) || after.Load() < 100 || passed.Load() == 0 {
		t.Errorf("%d requests failed", n)
	}
	var got struct{ Count int64 }
	newClient(t, g.url()).must(t, "GET", "/classes/Datagram?count=1&limit=0", "", &got)
	if acked := made.Load() + 1; got.Count < acked || got.Count > acked+failed.Load() {
		t.Errorf("%d objects are there, %d were acknowledged, and %d requests failed", got.Count, acked, failed.Load())
	}
}
