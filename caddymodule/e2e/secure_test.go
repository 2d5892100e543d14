package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/testservices"
)

// TestUpgradeTLS upgrades under load over TLS.
func TestUpgradeTLS(t *testing.T) {
	testservices.NeedTime(t, "the seconds in which idle TLS connections are kept")
	underSecureLoad(t, func(g *gateway) {
		for range 2 {
			time.Sleep(500 * time.Millisecond) // of load
			before := g.processes()
			now := g.upgrade()
			for _, pid := range before {
				if pid != now {
					gone(t, pid)
				}
			}
		}
	})
}

// TestFaultsOverTLS changes the configuration under load over TLS.
func TestFaultsOverTLS(t *testing.T) {
	underSecureLoad(t, func(g *gateway) { reloading(&site{gateway: g}, time.Now().Add(faultTime(t))) })
}

// underSecureLoad does something to a gateway while clients of HTTP/2 and of HTTP/1.1 over TLS write, whose connections can't be
// given away: their clients are told to make new ones. No request fails.
func underSecureLoad(t *testing.T, do func(*gateway)) {
	t.Helper()
	port := testservices.FreePort(t)
	g := startUpgradable(t, strings.Replace(bundledApp("", ""), "{\n\tadmin ADMIN", "{\n\tadmin ADMIN\n\tskip_install_trust\n\tauto_https disable_redirects", 1)+
		fmt.Sprintf("https://127.0.0.1:%d {\n\tbind 127.0.0.1\n\ttls internal\n\tparse /parse/*\n}\n", port))
	base := fmt.Sprintf("https://127.0.0.1:%d/parse", port)
	var protocols [3]atomic.Int64
	var failed atomic.Int64
	var transports []*http.Transport
	for i := range 6 {
		tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: i%2 == 0} //nolint:gosec // a certificate of the test's own
		defer tr.CloseIdleConnections()
		transports = append(transports, tr)
	}
	first := http.Client{Transport: transports[0]}
	if err := g.process.Await(func() error { // the certificate is made
		res, err := first.Get(base + "/health")
		if err == nil {
			res.Body.Close()
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	end := again(len(transports), func(caller int) {
		c := http.Client{Transport: transports[caller], Timeout: 60 * time.Second}
		req, err := http.NewRequest("POST", base+"/classes/Secure", strings.NewReader(`{"n":1}`))
		if err != nil {
			t.Error(err)
			return
		}
		req.Header.Set("X-Parse-Application-Id", appID)
		req.Header.Set("X-Parse-REST-API-Key", restKey)
		res, err := c.Do(req)
		if err != nil {
			failed.Add(1)
			t.Log(err)
			time.Sleep(pauseAfterFailure)
			return
		}
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusCreated {
			failed.Add(1)
			t.Log(res.Status, err)
			return
		}
		protocols[res.ProtoMajor].Add(1)
	})
	do(g)
	end()
	made := protocols[1].Load() + protocols[2].Load()
	t.Logf("%d by HTTP/1.1, %d by HTTP/2", protocols[1].Load(), protocols[2].Load())
	if n := failed.Load(); n > 0 || protocols[1].Load() == 0 || protocols[2].Load() == 0 {
		t.Errorf("%d requests failed", n)
	}
	var got struct{ Count int64 }
	newClient(t, g.url()).must(t, "GET", "/classes/Secure?count=1&limit=0", "", &got)
	if got.Count != made {
		t.Errorf("%d objects are there, %d were acknowledged", got.Count, made)
	}
}
