package testservices

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// ObjectStore is a running private server that keeps objects.
type ObjectStore struct {
	// URL is its address.
	URL string
	// Account and Key are the credentials of its owner; GCS has none.
	Account, Key string
	// Folder is where it keeps what it has, as files.
	Folder string
}

// StartS3 starts an S3 server, the Versity gateway on a folder, that ends with the test. stores is the path of the folder
// stores beside this file, whose modules pin such servers.
func StartS3(tb testing.TB, stores string) *ObjectStore {
	tb.Helper()
	Need(tb, "the S3 server versitygw, which is compiled")
	binary := compiled(tb, filepath.Join(stores, "s3"), "github.com/versity/versitygw/cmd/versitygw")
	s, meta := &ObjectStore{Account: "owner", Key: rand.Text(), Folder: tb.TempDir()}, tb.TempDir()
	s.start(tb, "versitygw", func(port string) *exec.Cmd {
		cmd := exec.Command(binary, "--port", "127.0.0.1:"+port, "--health", "/healthy", "--region", "us-east-1", "posix", "--sidecar", meta, s.Folder)
		cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+s.Account, "ROOT_SECRET_KEY="+s.Key)
		return cmd
	}, "/healthy")
	return s
}

// StartGCS starts a stand-in for Google Cloud Storage, fake-gcs-server, that ends with the test: the real one runs at Google's
// only. It has an empty bucket of the name.
func StartGCS(tb testing.TB, stores, bucket string) *ObjectStore {
	tb.Helper()
	Need(tb, "fake-gcs-server, which is compiled")
	binary := compiled(tb, filepath.Join(stores, "gcs"), "github.com/fsouza/fake-gcs-server")
	s := &ObjectStore{Folder: tb.TempDir()}
	if err := os.Mkdir(filepath.Join(s.Folder, bucket), 0o700); err != nil {
		tb.Fatal(err)
	}
	s.start(tb, "fake-gcs-server", func(port string) *exec.Cmd {
		return exec.Command(binary, "-scheme", "http", "-host", "127.0.0.1", "-port", port, "-backend", "filesystem", "-filesystem-root", s.Folder,
			"-external-url", "http://127.0.0.1:"+port)
	}, "/storage/v1/b")
	return s
}

// StartAzurite starts Azurite, Microsoft's emulator of Azure Blob Storage, that ends with the test. npm is the folder whose npm
// packages have Node, if the system's isn't new enough.
func StartAzurite(tb testing.TB, stores, npm string) *ObjectStore {
	tb.Helper()
	Need(tb, "Node and the npm package azurite")
	node, err := Node(npm)
	if err != nil {
		tb.Fatal(err)
	}
	script, err := filepath.Abs(filepath.Join(stores, "azure", "node_modules", "azurite", "dist", "src", "blob", "main.js"))
	if err != nil {
		tb.Fatal(err)
	}
	// Azurite's own account, whose key is the same everywhere.
	s := &ObjectStore{
		Account: "devstoreaccount1", Folder: tb.TempDir(),
		Key: "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
	}
	s.start(tb, "Azurite", func(port string) *exec.Cmd {
		return exec.Command(node, script, "--blobHost", "127.0.0.1", "--blobPort", port, "--location", s.Folder, "--silent", "--skipApiVersionCheck", "--disableTelemetry")
	}, "/")
	return s
}

// start starts the server on a free port and waits until it answers on the path.
func (s *ObjectStore) start(tb testing.TB, name string, command func(port string) *exec.Cmd, path string) {
	tb.Helper()
	retryStart(tb, func(port int) error {
		s.URL = fmt.Sprintf("http://127.0.0.1:%d", port)
		p, err := StartProcess(tb, name, command(strconv.Itoa(port)), os.Interrupt)
		if err != nil {
			return err
		}
		client := &http.Client{Timeout: time.Second}
		return p.Await(func() error {
			res, err := client.Get(s.URL + path)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, res.Body)
			return errors.Join(err, res.Body.Close())
		})
	})
}

// compiled compiles a program that a module of its own pins, so that nothing of it gets into this one. The build cache makes
// the second time fast.
func compiled(tb testing.TB, module, program string) string {
	tb.Helper()
	binary := filepath.Join(tb.TempDir(), filepath.Base(program))
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, program)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("cannot compile %s: %v\n%s", program, err, out)
	}
	return binary
}
