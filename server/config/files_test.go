package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestFilesAdapters(t *testing.T) {
	for _, test := range []struct {
		name, adapter string
		env           []string
		want          FilesAdapter
		warning       string
	}{
		{"a folder", `"@parse/fs-files-adapter"`, nil, FilesAdapter{}, ""},
		{"an encrypted folder", `{"module":"@parse/fs-files-adapter","options":{"encryptionKey":"k"}}`, nil, FilesAdapter{EncryptionKey: "k"}, ""},
		{"S3 by its environment", `"@parse/s3-files-adapter"`, []string{
			"S3_BUCKET=b", "S3_REGION=eu-west-1", "S3_BUCKET_PREFIX=p/", "S3_DIRECT_ACCESS=true", "S3_BASE_URL=https://cdn.example.com/",
			"S3_BASE_URL_DIRECT=1", "S3_GLOBAL_CACHE_CONTROL=public", "S3_PRESIGNED_URL=true", "S3_PRESIGNED_URL_EXPIRES=60", "S3_FILE_ACL=none",
			"S3_ACCESS_KEY=id", "S3_SECRET_KEY=secret",
		}, FilesAdapter{S3: &S3Files{
			Bucket: "b", Region: "eu-west-1", Prefix: "p/", DirectAccess: true, BaseURL: "https://cdn.example.com", BaseURLDirect: true,
			CacheControl: "public", PresignedURL: true, PresignedSeconds: 60, AccessKeyID: "id", SecretAccessKey: "secret",
		}}, ""},
		{"S3 as its manual shows it", `{"module":"@parse/s3-files-adapter","options":{"bucket":"my_bucket","region":"us-east-1","bucketPrefix":"","directAccess":false,
			"fileAcl":null,"baseUrl":null,"baseUrlDirect":false,"signatureVersion":"v4","globalCacheControl":null,"presignedUrl":false,"presignedUrlExpires":null,
			"ServerSideEncryption":"AES256","validateFilename":null,"generateKey":null}}`, nil,
			FilesAdapter{S3: &S3Files{Bucket: "my_bucket", Region: "us-east-1", Encryption: "AES256", PresignedSeconds: 900}}, ""},
		{"options before the environment", `{"module":"@parse/s3-files-adapter","options":{"bucket":"b"}}`, []string{"S3_BUCKET=other", "S3_DIRECT_ACCESS=false"},
			FilesAdapter{S3: &S3Files{Bucket: "b", Region: "us-east-1", PresignedSeconds: 900}}, ""},
		{"another store than Amazon's", `{"module":"@parse/s3-files-adapter","options":{"bucket":"b","directAccess":true,"presignedUrlExpires":"900",
			"s3overrides":{"endpoint":"nyc3.digitaloceanspaces.com","accessKeyId":"id","secretAccessKey":"secret","s3ForcePathStyle":true,"region":"nyc3","logger":{}}}}`, nil,
			FilesAdapter{S3: &S3Files{
				Bucket: "b", Region: "nyc3", DirectAccess: true, ACL: "public-read", Endpoint: "https://nyc3.digitaloceanspaces.com", AccessKeyID: "id",
				SecretAccessKey: "secret", PathStyle: true, PresignedSeconds: 900,
			}}, "s3overrides.logger"},
		{"credentials of the newer client", `{"module":"@parse/s3-files-adapter","options":{"s3overrides":{"params":{"Bucket":"b"},"endpoint":"http://127.0.0.1:9000","forcePathStyle":true,
			"credentials":{"accessKeyId":"id","secretAccessKey":"secret","sessionToken":"t"}}}}`, nil,
			FilesAdapter{S3: &S3Files{
				Bucket: "b", Region: "us-east-1", Endpoint: "http://127.0.0.1:9000", AccessKeyID: "id", SecretAccessKey: "secret", SessionToken: "t", PathStyle: true, PresignedSeconds: 900,
			}}, ""},
		{"functions that JSON can't hold", `{"module":"@parse/s3-files-adapter","options":{"bucket":"b","generateKey":"x","typo":1}}`, nil,
			FilesAdapter{S3: &S3Files{Bucket: "b", Region: "us-east-1", PresignedSeconds: 900}}, "generateKey, typo"},
		{"the module's older name", `{"class":"parse-server-s3-adapter","options":{"bucket":"b"}}`, nil,
			FilesAdapter{S3: &S3Files{Bucket: "b", Region: "us-east-1", PresignedSeconds: 900}}, ""},
		{"Google by its environment", `"@parse/gcs-files-adapter"`, []string{"GCP_PROJECT_ID=p", "GCP_KEYFILE_PATH=/k.json", "GCS_BUCKET=b", "GCS_BUCKET_PREFIX=x_", "GCS_DIRECT_ACCESS=true"},
			FilesAdapter{GCS: &GCSFiles{Bucket: "b", KeyFile: "/k.json", Prefix: "x_", DirectAccess: true}}, ""},
		{"Google's emulator", `{"module":"@parse/gcs-files-adapter","options":{"projectId":"p","bucket":"b","autoRetry":true}}`, []string{"STORAGE_EMULATOR_HOST=127.0.0.1:9"},
			FilesAdapter{GCS: &GCSFiles{Bucket: "b", Endpoint: "http://127.0.0.1:9", Emulator: true}}, "autoRetry"},
		{"Azure", `{"module":"parse-server-azure-storage","options":{"accountName":"a","container":"c","accessKey":"k","directAccess":true}}`, nil,
			FilesAdapter{Azure: &AzureFiles{Account: "a", Container: "c", AccessKey: "k", DirectAccess: true}}, ""},
		{"Azure by its environment", `"parse-server-azure-storage"`, []string{"AZURE_STORAGE_CONNECTION_STRING=s", "AZURE_STORAGE_CONTAINER=c"},
			FilesAdapter{Azure: &AzureFiles{Container: "c", ConnectionString: "s"}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			o, warnings, err := FromJSON([]byte(`{"appId":"a","masterKey":"m","filesAdapter":`+test.adapter+`}`), test.env...)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(o.FilesAdapter, test.want) {
				t.Errorf("%+v, not %+v", shown(o.FilesAdapter), shown(test.want))
			}
			if got := strings.Join(warnings, "; "); test.warning == "" && got != "" || !strings.Contains(got, test.warning) {
				t.Errorf("the warnings are %q, not %q", got, test.warning)
			}
		})
	}
	o, _, err := load(t, []string{"--appId", "a", "--masterKey", "m", "--filesAdapter", "@parse/s3-files-adapter"}, []string{"S3_BUCKET=b"}, "")
	if err != nil || o.FilesAdapter.S3 == nil || o.FilesAdapter.S3.Bucket != "b" {
		t.Errorf("by a flag: %v", err)
	}
}

func shown(a FilesAdapter) string { return fmt.Sprintf("%+v %+v %+v", a.S3, a.GCS, a.Azure) }

func TestFilesAdapterRefusals(t *testing.T) {
	s3 := func(options string) string { return `{"module":"@parse/s3-files-adapter","options":` + options + `}` }
	for _, test := range []struct{ name, adapter, want string }{
		{"GridFS", `"parse-server/lib/Adapters/Files/GridFSBucketAdapter"`, "can't be GridFS, which keeps files in MongoDB"},
		{"a module of one's own", `{"module":"./mine.js"}`, "option filesAdapter is not supported for this module, only for @parse/fs-files-adapter"},
		{"nothing", `{}`, "option filesAdapter is not supported for this module"},
		{"options that are none", s3(`"b"`), "option filesAdapter.options must be an object"},
		{"no bucket", s3(`{}`), "filesAdapter.options.bucket or the environment variable S3_BUCKET is required"},
		{"an old signature", s3(`{"bucket":"b","signatureVersion":"v2"}`), "signatureVersion can only be v4"},
		{"encryption that there isn't", s3(`{"bucket":"b","ServerSideEncryption":"AES256|aws:kms"}`), "ServerSideEncryption must be AES256 or aws:kms"},
		{"an address that is none", s3(`{"bucket":"b","baseUrl":"cdn.example.com"}`), "baseUrl must be a URL"},
		{"an endpoint that is none", s3(`{"bucket":"b","s3overrides":{"endpoint":"ftp://x"}}`), "s3overrides.endpoint must be a URL"},
		{"half the credentials", s3(`{"bucket":"b","accessKey":"hunter2"}`), "accessKey and secretKey must both be given"},
		{"a prefix that leads up", s3(`{"bucket":"b","bucketPrefix":"../a"}`), "bucketPrefix must not"},
		{"no number", s3(`{"bucket":"b","presignedUrlExpires":"soon"}`), "presignedUrlExpires must be a number of seconds"},
		{"overrides that are none", s3(`{"bucket":"b","s3overrides":"x"}`), "s3overrides must be an object"},
		{"no container", `{"module":"parse-server-azure-storage","options":{"accountName":"a"}}`, "container or the environment variable AZURE_STORAGE_CONTAINER is required"},
		{"no account", `{"module":"parse-server-azure-storage","options":{"container":"a"}}`, "accountName or the environment variable AZURE_STORAGE_ACCOUNT is required"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := FromJSON([]byte(`{"appId":"a","masterKey":"m","filesAdapter":` + test.adapter + `}`))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, not %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret is told: %v", err)
			}
		})
	}
	_, _, err := FromJSON([]byte(`{"appId":"a","masterKey":"m","filesFolder":"f","filesAdapter":` + s3(`{"bucket":"b"}`) + `}`))
	if err == nil || !strings.Contains(err.Error(), "filesFolder has no effect") {
		t.Errorf("two places: %v", err)
	}
}
