package server

import (
	"context"
	"io"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/files/bucket"
	"github.com/parsescale/parsescale/server/files/disk"
	"github.com/parsescale/parsescale/server/rest"
)

// fileStore keeps uploaded files until it is closed.
type fileStore interface {
	rest.FileStore
	io.Closer
}

// openFiles opens the store of uploaded files that the options name. direct tells the URLs by which clients get files from the
// store itself; it is nil where they get them from this server.
func openFiles(ctx context.Context, o *config.Options, env Environment) (store fileStore, direct func(name, escaped string) string, err error) {
	switch a := o.FilesAdapter; {
	case a.S3 != nil:
		s, err := bucket.OpenS3(ctx, bucket.S3{
			Bucket: a.S3.Bucket, Region: a.S3.Region, Prefix: a.S3.Prefix, Endpoint: a.S3.Endpoint, PathStyle: a.S3.PathStyle,
			AccessKeyID: a.S3.AccessKeyID, SecretAccessKey: string(a.S3.SecretAccessKey), SessionToken: string(a.S3.SessionToken),
			ACL: a.S3.ACL, CacheControl: a.S3.CacheControl, Encryption: a.S3.Encryption,
		})
		if err == nil && a.S3.DirectAccess {
			direct = s3Address(a.S3, s, env.Logger)
		}
		return s, direct, err
	case a.GCS != nil:
		if a.GCS.DirectAccess {
			direct = func(_, escaped string) string {
				return "https://storage.googleapis.com/" + a.GCS.Bucket + "/" + a.GCS.Prefix + escaped
			}
		}
		store, err = bucket.OpenGCS(ctx, bucket.GCS{
			Bucket: a.GCS.Bucket, Prefix: a.GCS.Prefix, KeyFile: a.GCS.KeyFile, Credentials: a.GCS.Credentials, Endpoint: a.GCS.Endpoint,
			Emulator: a.GCS.Emulator, Public: a.GCS.DirectAccess,
		})
		return store, direct, err
	case a.Azure != nil:
		s, err := bucket.OpenAzure(ctx, bucket.Azure{
			Account: a.Azure.Account, Container: a.Azure.Container, AccessKey: string(a.Azure.AccessKey),
			ConnectionString: string(a.Azure.ConnectionString), Public: a.Azure.DirectAccess,
		})
		if err == nil && a.Azure.DirectAccess {
			at := s.Address()
			direct = func(_, escaped string) string { return at + "/" + escaped }
		}
		return s, direct, err
	}
	store, err = disk.Open(disk.Options{Folder: filesFolder(o), Key: string(o.FilesAdapter.EncryptionKey)})
	return store, nil, err
}

// s3Address tells the URLs of files in a bucket of S3, as parse-server's adapter makes them.
func s3Address(o *config.S3Files, s *bucket.Store, logger *slog.Logger) func(name, escaped string) string {
	base := o.BaseURL
	if base == "" {
		base = "https://" + o.Bucket + ".s3.amazonaws.com"
	}
	return func(name, escaped string) string {
		at := base + "/" + o.Prefix + escaped
		if o.BaseURL != "" && o.BaseURLDirect {
			at = base + "/" + escaped
		}
		if !o.PresignedURL {
			return at
		}
		signed, err := s.Presign(context.Background(), name, time.Duration(o.PresignedSeconds)*time.Second)
		if err != nil {
			// This server has the file, too.
			logger.Error("cannot sign the address of a file", "error", err)
			return ""
		}
		if o.BaseURL == "" {
			return signed
		}
		_, signature, _ := strings.Cut(signed, "?")
		return at + "?" + signature
	}
}

// fileURLsLast is how long the URLs of files are good; 0: for good.
func fileURLsLast(o *config.Options) time.Duration {
	if s := o.FilesAdapter.S3; s != nil && s.DirectAccess && s.PresignedURL {
		return time.Duration(s.PresignedSeconds) * time.Second
	}
	return 0
}

// filesFolder is the folder of uploaded files: the configured one, else "files" beside an SQLite database.
func filesFolder(o *config.Options) string {
	if o.FilesFolder != "" {
		return o.FilesFolder
	}
	path, ok := strings.CutPrefix(string(o.DatabaseURI), sqliteScheme)
	path, _, _ = strings.Cut(path, "?")
	if path, err := url.PathUnescape(path); ok && err == nil {
		return filepath.Join(filepath.Dir(filepath.FromSlash(path)), "files")
	}
	return "files"
}
