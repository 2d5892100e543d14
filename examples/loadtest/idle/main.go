// Command idle keeps many connections to a gateway open, on which nothing is asked, while others ask at a steady rate, and reports
// what the idle ones cost, how late the answers are and whether the idle connections still work in the end.
//
// A request is due at a fixed time, whether earlier ones were answered or not, and its latency counts from then.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	var c client
	idle := flag.Int("idle", 16000, "idle connections")
	busy := flag.Int("busy", 64, "connections that ask")
	rate := flag.Int("rate", 10000, "requests per second of all of these together")
	duration := flag.Duration("duration", 10*time.Second, "how long they ask")
	flag.StringVar(&c.address, "address", "127.0.0.1:1337", "host:port of the gateway")
	flag.StringVar(&c.source, "source", "", "address to connect from, such as 127.0.0.2; default: any")
	path := flag.String("path", "/parse/health", "what is asked for")
	pids := flag.String("pids", "", "processes whose memory is told, separated by commas")
	flag.Parse()
	c.request = []byte("GET " + *path + " HTTP/1.1\r\nHost: " + c.address + "\r\nX-Parse-Application-Id: myAppId\r\n\r\n")
	if err := run(&c, *idle, *busy, *rate, *duration, *pids); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(c *client, idle, busy, rate int, duration time.Duration, pids string) error {
	before, err := memory(pids)
	if err != nil {
		return err
	}
	begin := time.Now()
	connections, err := c.open(idle)
	if err != nil {
		return fmt.Errorf("cannot open %d connections: %w", idle, err)
	}
	fmt.Printf("%d connections opened and used once in %.1f s\n", len(connections), time.Since(begin).Seconds())
	after, err := memory(pids)
	if err != nil {
		return err
	}
	if pids != "" {
		fmt.Printf("memory of the gateway: %d MiB, then %d MiB: %.1f KiB per idle connection\n", before>>20, after>>20, float64(after-before)/float64(idle)/1024)
	}
	if err := c.load(busy, rate, duration); err != nil {
		return err
	}
	var broken atomic.Int64
	each(len(connections), func(i int) error {
		if c.ask(connections[i]) != nil {
			broken.Add(1)
		}
		return nil
	})
	fmt.Printf("idle connections that failed when used again: %d\n", broken.Load())
	if broken.Load() > 0 {
		return fmt.Errorf("%d idle connections failed", broken.Load())
	}
	return nil
}

// client asks one question, again and again.
type client struct {
	address, source string
	request         []byte
}

type connection struct {
	net.Conn
	reader *bufio.Reader
}

func (c *client) connect() (*connection, error) {
	d := net.Dialer{Timeout: 20 * time.Second}
	if c.source != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(c.source)}
	}
	n, err := d.Dial("tcp", c.address)
	if err != nil {
		return nil, err
	}
	return &connection{n, bufio.NewReaderSize(n, 512)}, nil
}

// ask asks on a connection and reads the answer.
func (c *client) ask(n *connection) error {
	if err := n.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	if _, err := n.Write(c.request); err != nil {
		return err
	}
	res, err := http.ReadResponse(n.reader, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	return nil
}

// open opens connections, each of which is used once.
func (c *client) open(n int) ([]*connection, error) {
	all := make([]*connection, n)
	err := each(n, func(i int) (err error) {
		if all[i], err = c.connect(); err == nil {
			err = c.ask(all[i])
		}
		return err
	})
	return all, err
}

// each calls f for the numbers below n, 64 at a time, and returns an error of one.
func each(n int, f func(i int) error) error {
	var (
		next   atomic.Int64
		wg     sync.WaitGroup
		once   sync.Once
		failed error
	)
	for range 64 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil {
					once.Do(func() { failed = err })
					return
				}
			}
		})
	}
	wg.Wait()
	return failed
}

// load asks at a rate for a while.
func (c *client) load(busy, rate int, duration time.Duration) error {
	connections, err := c.open(busy)
	if err != nil {
		return fmt.Errorf("cannot open %d more connections: %w", busy, err)
	}
	var (
		next, failed atomic.Int64
		latencies    = make([][]time.Duration, busy)
		wg           sync.WaitGroup
		begin        = time.Now()
		all          = int64(duration.Seconds() * float64(rate))
	)
	for i, n := range connections {
		wg.Go(func() {
			for {
				k := next.Add(1) - 1
				if k >= all {
					return
				}
				due := begin.Add(time.Duration(float64(k) / float64(rate) * float64(time.Second)))
				time.Sleep(time.Until(due))
				if c.ask(n) != nil {
					failed.Add(1)
					return
				}
				latencies[i] = append(latencies[i], time.Since(due))
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	done := slices.Concat(latencies...)
	if len(done) == 0 {
		return fmt.Errorf("no request was answered")
	}
	slices.Sort(done)
	at := func(share float64) float64 { return done[int(share*float64(len(done)-1))].Seconds() * 1000 }
	fmt.Printf("%.0f requests/s on %d connections for %.1f s: p50 %.1f ms, p99 %.1f ms, the longest %.1f ms, %d failed\n",
		float64(len(done))/took.Seconds(), busy, took.Seconds(), at(0.5), at(0.99), at(1), failed.Load())
	if failed.Load() > 0 {
		return fmt.Errorf("%d requests failed", failed.Load())
	}
	return nil
}

// memory is how much of it processes have resident, in bytes.
func memory(pids string) (bytes int64, err error) {
	for pid := range strings.SplitSeq(pids, ",") {
		if pid == "" {
			continue
		}
		status, err := os.ReadFile("/proc/" + pid + "/status")
		if err != nil {
			return 0, fmt.Errorf("cannot read the memory of process %s: %w", pid, err)
		}
		_, rest, _ := strings.Cut(string(status), "VmRSS:")
		kib, err := strconv.ParseInt(strings.Fields(rest + " 0")[0], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("cannot read the memory of process %s: %w", pid, err)
		}
		bytes += kib << 10
	}
	return bytes, nil
}
