package config

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"strings"
)

// FilesAdapter is where uploaded files are kept, as the option filesAdapter says: in FilesFolder, or in one of the buckets.
type FilesAdapter struct {
	// EncryptionKey encrypts the files in FilesFolder. Default: none, they aren't encrypted.
	EncryptionKey Secret
	// S3, GCS and Azure are buckets of object stores; at most one is set. Default: none.
	S3    *S3Files
	GCS   *GCSFiles
	Azure *AzureFiles
}

// S3Files is a bucket of Amazon S3, or of a store that speaks its protocol, by the options of @parse/s3-files-adapter.
type S3Files struct {
	// Bucket is made by the first upload if it isn't there. Required.
	Bucket string
	// Region is where the bucket is. Default: us-east-1.
	Region string
	// Prefix comes before the names of all files. Default: none.
	Prefix string
	// Endpoint is the address of another store than Amazon's. Default: Amazon's.
	Endpoint string
	// PathStyle puts the bucket's name into the path of addresses, not into the name of the host. Default: false.
	PathStyle bool
	// AccessKeyID, SecretAccessKey and SessionToken are the credentials. Default: those that Amazon's tools find by themselves.
	AccessKeyID                   string
	SecretAccessKey, SessionToken Secret
	// ACL is the canned access control list of stored files. Default: public-read with DirectAccess, else none.
	ACL string
	// CacheControl is stored with files. Default: none.
	CacheControl string
	// Encryption asks the store to encrypt: AES256 or aws:kms. Default: none.
	Encryption string
	// DirectAccess makes the URLs of files lead to the store. Default: false, they lead to this server.
	DirectAccess bool
	// BaseURL begins those URLs. Default: the bucket's address.
	BaseURL string
	// BaseURLDirect leaves the prefix out of them. Default: false.
	BaseURLDirect bool
	// PresignedURL signs them, so that files needn't be public, and PresignedSeconds is how long the signature is good.
	// Default: false, and 900 seconds.
	PresignedURL     bool
	PresignedSeconds int
}

// GCSFiles is a bucket of Google Cloud Storage, by the options of @parse/gcs-files-adapter.
type GCSFiles struct {
	// Bucket must be there. Required.
	Bucket string
	// Prefix comes before the names of all files. Default: none.
	Prefix string
	// KeyFile is the path of a service account's key, as JSON. Default: what Google's tools find by themselves.
	KeyFile string
	// Credentials is such a key itself, as JSON. Default: none.
	Credentials SecretJSON
	// Endpoint is the address of another store than Google's, Emulator says that it takes no credentials. Default: Google's.
	Endpoint string
	Emulator bool
	// DirectAccess makes files public, and their URLs lead to the store. Default: false.
	DirectAccess bool
}

// AzureFiles is a container of Azure Blob Storage, by the options of parse-server-azure-storage.
type AzureFiles struct {
	// Account is the name of the storage account. Required without ConnectionString.
	Account string
	// Container is made by the first upload if it isn't there. Required.
	Container string
	// AccessKey is the account's key. Default: what Azure's tools find by themselves.
	AccessKey Secret
	// ConnectionString has account, key and address in one. Default: none.
	ConnectionString Secret
	// DirectAccess makes the URLs of files lead to the store. Default: false.
	DirectAccess bool
}

// filesModules are the names of parse-server's modules that keep files, old ones too, and how their options are read.
var filesModules = map[string]func(o *Options, a *adapterOptions){
	"@parse/fs-files-adapter":    (*Options).takeFilesOnDisk,
	"parse-server-fs-adapter":    (*Options).takeFilesOnDisk,
	"@parse/s3-files-adapter":    (*Options).takeFilesOnS3,
	"parse-server-s3-adapter":    (*Options).takeFilesOnS3,
	"@parse/gcs-files-adapter":   (*Options).takeFilesOnGCS,
	"parse-server-gcs-adapter":   (*Options).takeFilesOnGCS,
	"parse-server-azure-storage": (*Options).takeFilesOnAzure,
}

// takeFilesAdapter reads the option filesAdapter, and the environment variables that parse-server's modules read.
func (o *Options) takeFilesAdapter(values map[string]any, env map[string]string, w *warnings) error {
	v, ok := values["filesAdapter"]
	if !ok {
		return nil
	}
	delete(values, "filesAdapter")
	a := &adapterOptions{env: env}
	name, _ := v.(string)
	if given, ok := v.(map[string]any); ok {
		for _, key := range []string{"module", "class", "adapter"} {
			if name == "" {
				name, _ = given[key].(string)
			}
		}
		if options, ok := given["options"].(map[string]any); ok {
			a.values = maps.Clone(options)
		} else if given["options"] != nil {
			return errors.New("option filesAdapter.options must be an object")
		}
	}
	take, known := filesModules[name]
	switch {
	case known:
	case strings.Contains(strings.ToLower(name), "gridfs") || strings.Contains(strings.ToLower(name), "gridstore"):
		return errors.New("option filesAdapter can't be GridFS, which keeps files in MongoDB: move them to a folder or a bucket, or keep such requests on parse-server for Node behind the gateway")
	default:
		return fmt.Errorf("option filesAdapter is not supported for this module, only for %s; leave it out to keep files in a folder",
			"@parse/fs-files-adapter, @parse/s3-files-adapter, @parse/gcs-files-adapter and parse-server-azure-storage")
	}
	if _, given := values["filesFolder"]; given && !strings.Contains(name, "fs-") {
		return errors.New("option filesFolder has no effect with a filesAdapter that keeps files elsewhere; leave one of them out")
	}
	take(o, a)
	if names := a.left(); len(names) > 0 {
		w.add("these options of filesAdapter have no effect in this server: %s", strings.Join(names, ", "))
	}
	return errors.Join(a.errs...)
}

func (o *Options) takeFilesOnDisk(a *adapterOptions) {
	if folder := a.text("filesSubDirectory", "", ""); o.FilesFolder == "" {
		o.FilesFolder = path.Join("files", folder)
	}
	o.FilesAdapter.EncryptionKey = Secret(a.text("encryptionKey", "", ""))
}

func (o *Options) takeFilesOnS3(a *adapterOptions) {
	over := a.below("s3overrides")
	s := &S3Files{
		Bucket: a.text("bucket", "S3_BUCKET", ""), Region: a.text("region", "S3_REGION", "us-east-1"), Prefix: a.text("bucketPrefix", "S3_BUCKET_PREFIX", ""),
		AccessKeyID: a.text("accessKey", "S3_ACCESS_KEY", ""), SecretAccessKey: Secret(a.text("secretKey", "S3_SECRET_KEY", "")),
		ACL: a.text("fileAcl", "S3_FILE_ACL", ""), CacheControl: a.text("globalCacheControl", "S3_GLOBAL_CACHE_CONTROL", ""),
		Encryption: a.text("ServerSideEncryption", "", ""), DirectAccess: a.flag("directAccess", "S3_DIRECT_ACCESS"),
		BaseURL: a.address("baseUrl", "S3_BASE_URL"), BaseURLDirect: a.flag("baseUrlDirect", "S3_BASE_URL_DIRECT"),
		PresignedURL: a.flag("presignedUrl", "S3_PRESIGNED_URL"), PresignedSeconds: a.seconds("presignedUrlExpires", "S3_PRESIGNED_URL_EXPIRES", 900),
	}
	if v := a.text("signatureVersion", "S3_SIGNATURE_VERSION", "v4"); v != "v4" {
		a.refuse("signatureVersion", "can only be v4: S3 takes no other")
	}
	// What is given for the client comes before what is given for the adapter.
	s.Bucket, s.Region = over.below("params").text("Bucket", "", s.Bucket), over.text("region", "", s.Region)
	for _, given := range []*adapterOptions{a.below("credentials"), over, over.below("credentials")} {
		if id, secret := given.text("accessKeyId", "", ""), given.text("secretAccessKey", "", ""); id != "" && secret != "" {
			s.AccessKeyID, s.SecretAccessKey, s.SessionToken = id, Secret(secret), Secret(given.text("sessionToken", "", ""))
		}
	}
	s.PathStyle = over.flag("forcePathStyle", "") || over.flag("s3ForcePathStyle", "")
	if s.Endpoint = over.text("endpoint", "", ""); s.Endpoint != "" {
		scheme := "https://"
		if v, given := over.take("sslEnabled"); given && v == false {
			scheme = "http://"
		}
		if !strings.Contains(s.Endpoint, "://") {
			s.Endpoint = scheme + s.Endpoint
		}
		over.checkAddress("endpoint", s.Endpoint)
	}
	if v := over.text("signatureVersion", "", "v4"); v != "v4" {
		over.refuse("signatureVersion", "can only be v4: S3 takes no other")
	}
	a.require("bucket", "S3_BUCKET", s.Bucket)
	if s.ACL == "none" {
		s.ACL = ""
	} else if s.ACL == "" && s.DirectAccess {
		s.ACL = "public-read"
	}
	if s.Encryption != "" && s.Encryption != "AES256" && s.Encryption != "aws:kms" {
		a.refuse("ServerSideEncryption", "must be AES256 or aws:kms")
	}
	if (s.AccessKeyID == "") != (s.SecretAccessKey == "") {
		a.refuse("accessKey", "and secretKey must both be given, or neither")
	}
	a.checkPrefix("bucketPrefix", s.Prefix)
	o.FilesAdapter.S3 = s
}

func (o *Options) takeFilesOnGCS(a *adapterOptions) {
	a.text("projectId", "GCP_PROJECT_ID", "") // the bucket's name is enough
	g := &GCSFiles{
		Bucket: a.text("bucket", "GCS_BUCKET", ""), Prefix: a.text("bucketPrefix", "GCS_BUCKET_PREFIX", ""),
		KeyFile: a.text("keyFilename", "GCP_KEYFILE_PATH", ""), Credentials: a.json("credentials"),
		DirectAccess: a.flag("directAccess", "GCS_DIRECT_ACCESS"), Endpoint: a.address("apiEndpoint", ""),
	}
	if emulator := a.env["STORAGE_EMULATOR_HOST"]; emulator != "" && g.Endpoint == "" {
		if !strings.Contains(emulator, "://") {
			emulator = "http://" + emulator
		}
		g.Endpoint, g.Emulator = emulator, true
	}
	a.require("bucket", "GCS_BUCKET", g.Bucket)
	a.checkPrefix("bucketPrefix", g.Prefix)
	o.FilesAdapter.GCS = g
}

func (o *Options) takeFilesOnAzure(a *adapterOptions) {
	z := &AzureFiles{
		Account: a.text("accountName", "AZURE_STORAGE_ACCOUNT", ""), Container: a.text("container", "AZURE_STORAGE_CONTAINER", ""),
		AccessKey: Secret(a.text("accessKey", "AZURE_STORAGE_ACCESS_KEY", "")), DirectAccess: a.flag("directAccess", ""),
		ConnectionString: Secret(a.text("connectionString", "AZURE_STORAGE_CONNECTION_STRING", "")),
	}
	a.require("container", "AZURE_STORAGE_CONTAINER", z.Container)
	if z.ConnectionString == "" {
		a.require("accountName", "AZURE_STORAGE_ACCOUNT", z.Account)
	}
	o.FilesAdapter.Azure = z
}
