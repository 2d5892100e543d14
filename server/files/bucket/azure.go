package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"gocloud.dev/blob"
	"gocloud.dev/blob/azureblob"

	"github.com/parsescale/parsescale/server/files"
)

// Azure says how to reach a container of Azure Blob Storage.
type Azure struct {
	// Account is the storage account's name. Required without ConnectionString.
	Account string
	// Container is made by the first upload if it isn't there. Required.
	Container string
	// AccessKey is the account's. Default: the credentials that the environment has.
	AccessKey string
	// ConnectionString has account, key and address in one. Default: none.
	ConnectionString string
	// Public lets everybody read the files of a container that is made.
	Public bool
	// Patience is how long the store may take to say anything. Default: 30 s.
	Patience time.Duration
}

// OpenAzure opens a container of Azure Blob Storage.
func OpenAzure(ctx context.Context, o Azure) (*Store, error) {
	client := newClient(patienceOr(o.Patience))
	reach, err := o.client(&container.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: client}})
	if err != nil {
		return nil, fmt.Errorf("cannot use the credentials of the container: %w", err)
	}
	b, err := azureblob.OpenBucket(ctx, reach, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot open the container: %w", err)
	}
	return &Store{bucket: b, provider: &microsoft{reach, o.Public}, address: strings.TrimRight(reach.URL(), "/"), patience: patienceOr(o.Patience), idle: client.CloseIdleConnections, tidies: true}, nil
}

func (o Azure) client(c *container.ClientOptions) (*container.Client, error) {
	at := "https://" + o.Account + ".blob.core.windows.net/" + o.Container
	switch {
	case o.ConnectionString != "":
		return container.NewClientFromConnectionString(o.ConnectionString, o.Container, c)
	case o.AccessKey != "":
		key, err := container.NewSharedKeyCredential(o.Account, o.AccessKey)
		if err != nil {
			return nil, err
		}
		return container.NewClientWithSharedKeyCredential(at, key, c)
	}
	found, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: azcore.ClientOptions{Transport: c.Transport}})
	if err != nil {
		return nil, err
	}
	return container.NewClient(at, found, c)
}

// Address is where the container's files are for everybody, if they are public.
func (s *Store) Address() string { return s.address }

// microsoft is Azure Blob Storage.
type microsoft struct {
	client *container.Client
	public bool
}

func (m *microsoft) write(o *blob.WriterOptions, p files.Properties) {
	o.Metadata = portable(p.Metadata)
}

func (m *microsoft) read(_ context.Context, _ string, a *blob.Attributes, p *files.Properties) error {
	for name, v := range a.Metadata {
		p.Metadata[name] = v
	}
	return nil
}

// follow does nothing: what was sent of an upload that isn't ended goes away by itself.
func (m *microsoft) follow(ctx context.Context) (context.Context, func(context.Context, string)) {
	return ctx, func(context.Context, string) {}
}

// prepare makes the container if it isn't there, as parse-server's adapter does. Who may not make one goes on.
func (m *microsoft) prepare(ctx context.Context) error {
	o := &container.CreateOptions{}
	if m.public {
		access := container.PublicAccessTypeBlob
		o.Access = &access
	}
	_, err := m.client.Create(ctx, o)
	var e *azcore.ResponseError
	if bloberror.HasCode(err, bloberror.ContainerAlreadyExists) || errors.As(err, &e) && e.StatusCode == http.StatusForbidden {
		return nil
	}
	return err
}

func (m *microsoft) absent(_ context.Context, err error) bool {
	var e *azcore.ResponseError
	return errors.As(err, &e) && e.StatusCode == http.StatusNotFound && !bloberror.HasCode(err, bloberror.ContainerNotFound, bloberror.ContainerBeingDeleted)
}
