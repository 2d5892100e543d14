package bucket

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/parsescale/parsescale/server/files/storetest"
	"github.com/parsescale/parsescale/server/testservices"
)

const (
	stores = "../../testservices/stores"
	npm    = "../../../caddymodule/e2e"
)

// TestS3 runs the stores' tests on a real S3 server.
func TestS3(t *testing.T) {
	at := testservices.StartS3(t, stores)
	s, err := OpenS3(t.Context(), S3{
		Bucket: "made-by-the-first-upload", Region: "us-east-1", Prefix: "some/prefix_", Endpoint: at.URL, PathStyle: true,
		AccessKeyID: at.Account, SecretAccessKey: at.Key, CacheControl: "public, max-age=60",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	storetest.Run(t, s, storetest.Traits{Metadata: true, Tags: true, Sticky: true, List: func(t *testing.T) []string {
		names := filesBelow(t, at.Folder)
		client := s.provider.(*amazon).client
		out, err := client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String("made-by-the-first-upload")})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range out.Uploads {
			names = append(names, "parts of "+*u.Key)
		}
		return names
	}})
}

// TestGCS runs them on a stand-in for Google's store.
func TestGCS(t *testing.T) {
	at := testservices.StartGCS(t, stores, "b")
	s, err := OpenGCS(t.Context(), GCS{Bucket: "b", Prefix: "some/prefix_", Endpoint: at.URL, Emulator: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	storetest.Run(t, s, storetest.Traits{Metadata: true, List: func(t *testing.T) []string { return filesBelow(t, at.Folder) }})
}

// TestAzure runs them on Microsoft's emulator. What was uploaded of a blob that was never put together isn't shown by it, and
// goes away by itself.
func TestAzure(t *testing.T) {
	at := testservices.StartAzurite(t, stores, npm)
	s, err := OpenAzure(t.Context(), Azure{
		Container:        "made-by-the-first-upload",
		ConnectionString: "AccountName=" + at.Account + ";AccountKey=" + at.Key + ";BlobEndpoint=" + at.URL + "/" + at.Account,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	storetest.Run(t, s, storetest.Traits{Metadata: true})
}

func filesBelow(t *testing.T, folder string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && !strings.Contains(path, ".vgwlocks") {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
