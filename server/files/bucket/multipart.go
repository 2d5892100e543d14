package bucket

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
)

// S3 keeps the parts of an upload that isn't ended, and charges for them, until it is told to let them go. The SDK tells it
// so, but not once the caller is gone, and doesn't say which upload it was.

// multipart is an upload in parts, if it came to that.
type multipart struct {
	mu sync.Mutex
	id *string // nil: it is none
}

type multipartKey struct{}

// rememberMultipart puts the ids of uploads into the multipart of their context.
func rememberMultipart(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("RememberMultipart", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleInitialize(ctx, in)
		begun, ok := out.Result.(*s3.CreateMultipartUploadOutput)
		if m, followed := ctx.Value(multipartKey{}).(*multipart); ok && followed && begun != nil {
			m.mu.Lock()
			m.id = begun.UploadId
			m.mu.Unlock()
		}
		return out, metadata, err
	}), middleware.Before)
}

// follow watches an upload, to abort it if it fails.
func (z *amazon) follow(ctx context.Context) (context.Context, func(context.Context, string)) {
	m := &multipart{}
	return context.WithValue(ctx, multipartKey{}, m), func(ctx context.Context, key string) {
		m.mu.Lock()
		id := m.id
		m.mu.Unlock()
		if id != nil {
			// An error mostly means that the SDK has done it.
			_, _ = z.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &z.o.Bucket, Key: &key, UploadId: id})
		}
	}
}
