package bucket

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	tmtypes "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"

	"github.com/parsescale/parsescale/server/files"
)

// S3 says how to reach a bucket of Amazon S3, or of another store that speaks its protocol.
type S3 struct {
	// Bucket is made by the first upload if it isn't there. Required.
	Bucket string
	// Region is where it is. Required.
	Region string
	// Prefix comes before the names of all files. Default: none.
	Prefix string
	// Endpoint is the address of another store. Default: Amazon's.
	Endpoint string
	// PathStyle puts the bucket's name into the path of addresses, not into the name of the host.
	PathStyle bool
	// AccessKeyID, SecretAccessKey and SessionToken are the credentials. Default: those that the environment has.
	AccessKeyID, SecretAccessKey, SessionToken string
	// ACL, CacheControl and Encryption are set on stored files, as the protocol has them. Default: none.
	ACL, CacheControl, Encryption string
	// Patience is how long the store may take to say anything. Default: 30 s.
	Patience time.Duration
}

// OpenS3 opens a bucket of S3.
func OpenS3(ctx context.Context, o S3) (*Store, error) {
	// A client of the SDK's own, so that AWS_CA_BUNDLE and the like work.
	client := awshttp.NewBuildableClient().WithTransportOptions(limited(patienceOr(o.Patience)))
	load := []func(*config.LoadOptions) error{config.WithRegion(o.Region), config.WithHTTPClient(client)}
	if o.AccessKeyID != "" {
		load = append(load, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(o.AccessKeyID, o.SecretAccessKey, o.SessionToken)))
	}
	c, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("cannot use the credentials of the bucket: %w", err)
	}
	checksums := aws.RequestChecksumCalculationWhenSupported
	if o.Endpoint != "" {
		// Other stores know less than Amazon's of the newer checksums.
		checksums = aws.RequestChecksumCalculationWhenRequired
	}
	reach := s3.NewFromConfig(c, func(s *s3.Options) {
		s.APIOptions = append(s.APIOptions, rememberMultipart)
		if s.UsePathStyle = o.PathStyle; o.Endpoint != "" {
			s.BaseEndpoint = aws.String(o.Endpoint)
			s.RequestChecksumCalculation, s.ResponseChecksumValidation = checksums, aws.ResponseChecksumValidationWhenRequired
		}
	})
	b, err := s3blob.OpenBucket(ctx, reach, o.Bucket, &s3blob.Options{RequestChecksumCalculation: checksums})
	if err != nil {
		return nil, fmt.Errorf("cannot open the bucket: %w", err)
	}
	return &Store{bucket: b, provider: &amazon{client: reach, o: o}, prefix: o.Prefix, patience: patienceOr(o.Patience), idle: client.GetTransport().CloseIdleConnections, tidies: true}, nil
}

// amazon is S3.
type amazon struct {
	client *s3.Client
	o      S3
}

func (z *amazon) write(o *blob.WriterOptions, p files.Properties) {
	o.CacheControl = z.o.CacheControl
	o.BeforeWrite = func(as func(any) bool) error {
		var in *transfermanager.UploadObjectInput
		if !as(&in) {
			return errors.New("the library's upload is another one than expected")
		}
		in.ACL, in.ServerSideEncryption = tmtypes.ObjectCannedACL(z.o.ACL), tmtypes.ServerSideEncryption(z.o.Encryption)
		// Not by way of the library, which would escape them: parse-server's adapter doesn't.
		for name, v := range p.Metadata {
			in.Metadata[name] = asText(v)
		}
		if len(p.Tags) > 0 {
			in.Tagging = aws.String(tagging(p.Tags))
		}
		return nil
	}
}

// tagging encodes tags as the protocol's header field has them.
func tagging(tags map[string]any) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		if v := asText(tags[name]); v != "" {
			out = append(out, escaped(name)+"="+escaped(v))
		}
	}
	return strings.Join(out, "&")
}

func escaped(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func (z *amazon) read(ctx context.Context, key string, a *blob.Attributes, p *files.Properties) error {
	var head s3.HeadObjectOutput
	if !a.As(&head) {
		return errors.New("the library's attributes are others than expected")
	}
	for name, v := range head.Metadata {
		p.Metadata[name] = v
	}
	if aws.ToInt32(head.TagCount) == 0 {
		return nil
	}
	out, err := z.client.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &z.o.Bucket, Key: &key})
	if err != nil {
		return err
	}
	for _, tag := range out.TagSet {
		p.Tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return nil
}

// prepare makes the bucket if it isn't there, as parse-server's adapter does. Who may not know whether it is goes on.
func (z *amazon) prepare(ctx context.Context) error {
	_, err := z.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &z.o.Bucket})
	if err == nil || statusOf(err) == http.StatusForbidden {
		return nil
	}
	if statusOf(err) != http.StatusNotFound {
		return err
	}
	in := &s3.CreateBucketInput{Bucket: &z.o.Bucket}
	if z.o.Endpoint == "" && z.o.Region != "us-east-1" {
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(z.o.Region)}
	}
	_, err = z.client.CreateBucket(ctx, in)
	var e smithy.APIError
	if errors.As(err, &e) && (e.ErrorCode() == "BucketAlreadyExists" || e.ErrorCode() == "BucketAlreadyOwnedByYou") {
		return nil
	}
	return err
}

// absent asks for the bucket: what S3 says to a HEAD request doesn't tell a missing object from a missing bucket.
func (z *amazon) absent(ctx context.Context, err error) bool {
	if statusOf(err) != http.StatusNotFound {
		return false
	}
	_, err = z.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &z.o.Bucket})
	return err == nil || statusOf(err) == http.StatusForbidden
}

func statusOf(err error) int {
	var e *awshttp.ResponseError
	if !errors.As(err, &e) {
		return 0
	}
	return e.HTTPStatusCode()
}

// Presign returns a URL by which anybody may read the file for some time. Nothing is asked of the store.
func (s *Store) Presign(ctx context.Context, name string, valid time.Duration) (string, error) {
	at, err := s.bucket.SignedURL(ctx, s.prefix+name, &blob.SignedURLOptions{Expiry: valid, Method: http.MethodGet})
	if err != nil {
		return "", fmt.Errorf("cannot sign the address of a file: %w", err)
	}
	return at, nil
}
