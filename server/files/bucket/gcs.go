package bucket

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"gocloud.dev/blob"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"
	"google.golang.org/api/transport/http"

	"github.com/parsescale/parsescale/server/files"
	"github.com/parsescale/parsescale/server/files/bucket/gcs"
)

// GCS says how to reach a bucket of Google Cloud Storage.
type GCS struct {
	// Bucket is its name. Required.
	Bucket string
	// Prefix comes before the names of all files. Default: none.
	Prefix string
	// KeyFile is the path of a JSON file with credentials, Credentials are the same as JSON. Default: those that the
	// environment has.
	KeyFile     string
	Credentials []byte
	// Endpoint is the service's address, Emulator says that it takes no credentials. Default: Google's.
	Endpoint string
	Emulator bool
	// Public makes files readable by everybody.
	Public bool
	// Patience is how long the store may take to say anything. Default: 30 s.
	Patience time.Duration
}

// OpenGCS opens a bucket of Google Cloud Storage.
func OpenGCS(ctx context.Context, g GCS) (*Store, error) {
	credentials := g.Credentials
	if g.KeyFile != "" {
		var err error
		if credentials, err = os.ReadFile(g.KeyFile); err != nil {
			return nil, fmt.Errorf("cannot read the credentials of the bucket: %w", err)
		}
	}
	options := []option.ClientOption{option.WithScopes(storage.DevstorageReadWriteScope), option.WithTelemetryDisabled()}
	switch {
	case g.Emulator:
		options = append(options, option.WithoutAuthentication())
	case len(credentials) > 0:
		kind, err := credentialsType(credentials)
		if err != nil {
			return nil, err
		}
		options = append(options, option.WithAuthCredentialsJSON(kind, credentials))
	}
	client := newClient(patienceOr(g.Patience))
	transport, err := http.NewTransport(ctx, client.Transport, options...)
	if err != nil {
		return nil, fmt.Errorf("cannot use the credentials of the bucket: %w", err)
	}
	client.Transport = transport
	reach := []option.ClientOption{option.WithHTTPClient(client)}
	if g.Endpoint != "" {
		reach = append(reach, option.WithEndpoint(g.Endpoint+"/storage/v1/"))
	}
	service, err := storage.NewService(ctx, reach...)
	if err != nil {
		return nil, fmt.Errorf("cannot open the bucket: %w", err)
	}
	acl := ""
	if g.Public {
		acl = "publicRead"
	}
	return &Store{
		bucket: gcs.OpenBucket(service, g.Bucket, acl), provider: google{}, prefix: g.Prefix, patience: patienceOr(g.Patience), idle: client.CloseIdleConnections,
	}, nil
}

// credentialsType reads what kind of credentials these are. A service account that has none says nothing of its kind, as Node's
// client takes it.
func credentialsType(data []byte) (option.CredentialsType, error) {
	var c struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return "", fmt.Errorf("cannot use the credentials of the bucket: they are not JSON")
	}
	if c.Type == "" {
		return option.ServiceAccount, nil
	}
	return option.CredentialsType(c.Type), nil
}

// google is Google Cloud Storage.
type google struct{}

func (google) write(o *blob.WriterOptions, p files.Properties) { o.Metadata = portable(p.Metadata) }

func (google) read(_ context.Context, _ string, a *blob.Attributes, p *files.Properties) error {
	for name, v := range a.Metadata {
		p.Metadata[name] = v
	}
	return nil
}

// follow does nothing: what was sent of an upload that isn't ended goes away by itself.
func (google) follow(ctx context.Context) (context.Context, func(context.Context, string)) {
	return ctx, func(context.Context, string) {}
}

// prepare does nothing: buckets of Google belong to projects and aren't made by the way.
func (google) prepare(context.Context) error { return nil }

func (google) absent(_ context.Context, err error) bool { return !gcs.NoBucket(err) }
