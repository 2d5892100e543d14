//go:build unix

package supervisor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/parsescale/parsescale/policies/feed"
	"github.com/parsescale/parsescale/policies/upstream"
	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/link"
	"go.uber.org/goleak"
)

// The test binary plays the parts that must be processes of their own: workers, and a gateway that is killed.
const roleVariable = "PARSESCALE_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "worker":
		workerMain()
	case "gateway":
		gatewayMain()
	default:
		goleak.VerifyTestMain(m)
	}
}

// childOptions tell the worker's part how to behave.
type childOptions struct {
	Secret string
	// Exit: end at once. Fail: say why it can't start. Never: never be ready.
	Exit, Fail, Never bool
	// Deaf: neither Stop, nor a signal that can be ignored, nor the end of its gateway ends it.
	Deaf bool
	// ReadyFor: end so long after it was ready.
	ReadyFor time.Duration
	// SlowUntil: the file whose coming ends slow requests.
	SlowUntil string
	// Silence: how long it may be silent. Default: longer than any machine makes it wait.
	Silence time.Duration
}

func (o childOptions) silence() time.Duration { return cmp.Or(o.Silence, time.Minute) }

func workerMain() {
	f := os.NewFile(3, "control")
	c, err := net.FileConn(f)
	f.Close()
	if err != nil {
		fmt.Println("no control socket:", err)
		os.Exit(3)
	}
	l, start, err := link.Open(c)
	if err != nil {
		os.Exit(3)
	}
	var o childOptions
	json.Unmarshal(start.Options, &o)
	go func() { // as the real worker does, unless it hangs
		<-l.Lost()
		if !o.Deaf {
			os.Exit(4)
		}
	}()
	switch {
	case o.Exit:
		fmt.Fprintln(os.Stderr, "crashing on purpose")
		os.Exit(5)
	case o.Fail:
		l.Failed("cannot open the database: it is on fire")
		os.Exit(6)
	case o.Never:
		select {}
	case o.Deaf:
		// SIGHUP comes from the kernel, to a stopped process whose group is orphaned.
		signal.Ignore(syscall.SIGTERM, syscall.SIGHUP)
	}
	var requests sync.WaitGroup
	listener, err := net.Listen("unix", start.Socket)
	if err != nil {
		l.Failed(err.Error())
		os.Exit(7)
	}
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		defer requests.Done()
		switch r.URL.Path {
		case "/about":
			json.NewEncoder(w).Encode(map[string]any{"pid": os.Getpid(), "args": os.Args, "env": os.Environ(), "secret": o.Secret, "app": start.App})
		case "/slow":
			for _, err := os.Stat(o.SlowUntil); err != nil && r.Context().Err() == nil; _, err = os.Stat(o.SlowUntil) {
				time.Sleep(5 * time.Millisecond)
			}
			fmt.Fprint(w, "finished")
		case "/prepare": // announces a change and never finishes it
			l.Prepare(r.Context(), []change.Change{{Class: "X", ObjectID: "1", Kind: change.Create}})
			fmt.Fprint(w, "prepared")
		case "/print":
			fmt.Println(strings.Repeat("x", 3*maxLine))
			fmt.Fprintln(os.Stderr, "printed")
		}
	}))
	l.Ready()
	if o.ReadyFor > 0 {
		time.AfterFunc(o.ReadyFor, func() { os.Exit(8) })
	}
	<-l.Stopping()
	if o.Deaf {
		select {}
	}
	requests.Wait()
	l.Drained()
	os.Exit(0)
}

// gatewayMain runs two workers until it is killed, and prints their ids.
func gatewayMain() {
	hub := feed.NewHub("app", nothing{}, feed.Options{})
	self, _ := os.Executable()
	s, err := New(Options{
		App: "app", Count: 2, Command: []string{self}, Env: []string{roleVariable + "=worker"}, StateDir: os.Getenv("STATE_DIR"),
		SocketDir: os.Getenv("SOCKET_DIR"), Hub: hub, Pool: upstream.New(upstream.Options{}), ServerOptions: json.RawMessage(os.Getenv("CHILD")),
	})
	err = errors.Join(err, s.Start(context.Background()), s.WaitReady(context.Background(), 2))
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	var pids []string
	for _, w := range s.Status() {
		pids = append(pids, fmt.Sprint(w.PID))
	}
	fmt.Println("ready", strings.Join(pids, " "))
	select {}
}

type nothing struct{}

func (nothing) Prepare([]change.Change) func() { return func() {} }
