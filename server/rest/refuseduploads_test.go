package rest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
)

// TestRefusedUploadsAreTold: who goes on sending an upload that was refused at its head reads why.
func TestRefusedUploadsAreTold(t *testing.T) {
	w := start(t, server.Environment{}, func(o *config.Options) { o.MaxUploadSize = 1 << 20 })
	host := strings.TrimPrefix(w.base, "http://")
	host, mount, _ := strings.Cut(host, "/")
	c, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	const size = 1<<20 + 1
	fmt.Fprintf(c, "POST /%s/files/a.txt HTTP/1.1\r\nHost: %s\r\nX-Parse-Application-Id: APP\r\nX-Parse-Master-Key: MASTER\r\nX-Parse-Upload-Mode: stream\r\nContent-Length: %d\r\n\r\n", mount, host, size)
	part := strings.Repeat("x", 64<<10)
	for range 3 {
		time.Sleep(50 * time.Millisecond) // the server has answered and done with it
		if _, err := io.WriteString(c, part); err != nil {
			t.Fatalf("the upload breaks: %v", err)
		}
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("the answer is lost: %v", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if want := `{"code":130,"error":"File size exceeds maximum allowed: 1048576 bytes."}`; err != nil || res.StatusCode != 400 || string(body) != want {
		t.Errorf("%d %s, %v", res.StatusCode, body, err)
	}
}
