package child

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/config"
)

// gateway plays the gateway's end of the control stream.
type gateway struct {
	t      *testing.T
	conn   net.Conn
	r      *change.Reader
	w      *change.Writer
	socket string
	code   chan int
}

func start(t *testing.T, app string, change1 func(map[string]any)) *gateway {
	t.Helper()
	ours, theirs := net.Pipe()
	g := &gateway{t: t, conn: ours, r: change.NewReader(ours), w: change.NewWriter(ours), socket: filepath.Join(t.TempDir(), "w.sock"), code: make(chan int, 1)}
	t.Cleanup(func() { ours.Close() })
	options := map[string]any{"appId": "APP", "masterKey": "topsecret", "masterKeyIps": []string{"10.0.0.1"}, "allowClientClassCreation": true,
		"databaseURI": "sqlite://" + filepath.Join(t.TempDir(), "p.db")}
	if change1 != nil {
		change1(options)
	}
	data, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	go func() { g.code <- Run(context.Background(), theirs, io.Discard) }()
	g.send(&change.Frame{Type: change.TypeStart, Start: change.Start{Protocol: change.Protocol, App: app, Socket: g.socket, Options: data}})
	return g
}

func (g *gateway) send(f *change.Frame) {
	g.t.Helper()
	if err := g.w.Send(f); err != nil {
		g.t.Fatal(err)
	}
}

func (g *gateway) next(want change.Type) change.Frame {
	g.t.Helper()
	_ = g.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	f, err := g.r.Next()
	if err != nil {
		g.t.Fatalf("waiting for %v: %v", want, err)
	}
	if f.Type != want {
		g.t.Fatalf("got %v %q, want %v", f.Type, f.Reason, want)
	}
	return f
}

func (g *gateway) ended(want int) {
	g.t.Helper()
	select {
	case code := <-g.code:
		if code != want {
			g.t.Errorf("exit code %d, want %d", code, want)
		}
	case <-time.After(20 * time.Second):
		g.t.Fatal("the worker doesn't end")
	}
}

// post sends a request from another goroutine's point of view: the answer comes after the ack.
func (g *gateway) post(path, body string, headers ...string) (int, string, error) {
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", g.socket)
	}}}
	req, err := http.NewRequestWithContext(g.t.Context(), http.MethodPost, "http://worker/parse"+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("X-Parse-Application-Id", "APP")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return res.StatusCode, string(data), err
}

func TestChildServesAndDrains(t *testing.T) {
	g := start(t, "APP", nil)
	g.next(change.TypeReady)
	info, err := os.Stat(g.socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket %v, %v", info, err)
	}
	if status, body, err := g.post("/serverInfo", `{"_method":"GET"}`, "X-Parse-Master-Key", "topsecret", "X-Parsescale-Client-Ip", "10.0.0.1"); status != 200 {
		t.Errorf("the gateway's word for the address isn't believed: %d %s %v", status, body, err)
	}
	answered := make(chan string, 1)
	go func() {
		_, body, err := g.post("/classes/A", `{"a":1}`)
		if err != nil {
			body = err.Error()
		}
		answered <- body
	}()
	prepared := g.next(change.TypePrepare)
	named := false
	for _, c := range prepared.Changes {
		named = named || c.Class == "A" && c.App == "APP"
	}
	if !named {
		t.Errorf("the change isn't announced: %+v", prepared.Changes)
	}
	select {
	case body := <-answered:
		t.Errorf("answered before the ack: %s", body)
	default:
	}
	g.send(&change.Frame{Type: change.TypeAck, ID: prepared.ID})
	g.next(change.TypeDone)
	if body := <-answered; !strings.Contains(body, "objectId") {
		t.Errorf("answer %s", body)
	}
	g.send(&change.Frame{Type: change.TypeStop})
	g.next(change.TypeDrained)
	g.ended(ExitDrained)
}

func TestChildEndsWhenTheGatewayIsLost(t *testing.T) {
	g := start(t, "APP", nil)
	g.next(change.TypeReady)
	answered := make(chan int, 1)
	go func() {
		status, _, _ := g.post("/classes/A", `{"a":1}`)
		answered <- status
	}()
	g.next(change.TypePrepare)
	g.conn.Close()
	g.ended(ExitLost)
	if status := <-answered; status == 201 {
		t.Error("a write without an ack was acknowledged")
	}
}

func TestChildSaysWhyItFails(t *testing.T) {
	for name, test := range map[string]struct {
		app    string
		change func(map[string]any)
		want   string
	}{
		"unknown option": {"APP", func(o map[string]any) { o["nope"] = 1 }, "unknown option nope"},
		"another app":    {"OTHER", nil, `of app "APP", not of "OTHER"`},
		"database":       {"APP", func(o map[string]any) { o["databaseURI"] = "mongodb://x" }, "MongoDB"},
	} {
		t.Run(name, func(t *testing.T) {
			g := start(t, test.app, test.change)
			if f := g.next(change.TypeFailed); !strings.Contains(f.Reason, test.want) || strings.Contains(f.Reason, "topsecret") {
				t.Errorf("reason %q, want %q", f.Reason, test.want)
			}
			g.ended(ExitFailed)
		})
	}
}

func TestOptionsOfTheGatewayAreAccepted(t *testing.T) {
	o := config.Default()
	o.AppID, o.MasterKey = "APP", "topsecret"
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := config.FromJSON(data); err != nil {
		t.Error(err)
	}
}
