package gcs

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

const (
	kib = 1 << 10
	mib = 1 << 20
	tib = 1 << 40

	defaultPartSize = 16 * mib
	defaultUniverse = "googleapis.com"
)

// limits of objects. Parts are the objects that Concat joins, so that a part may be as
// large as an object; 5 TiB is the largest:
// https://cloud.google.com/storage/quotas#objects
//
// The store does not limit the number of parts. 10,000 is what blobdock plans
// for elsewhere, and takes two levels of composing below the object.
var limits = driver.PartLimits{MinSize: 1, MaxSize: 5 * tib, MaxParts: 10_000, MaxObject: 5 * tib, MaxPut: 5 * tib}

// storageClasses are those that a bucket in use may write.
// https://cloud.google.com/storage/docs/storage-classes
var storageClasses = []string{"STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"}

// Config describes a bucket and how to reach it. Bucket alone is enough where
// application default credentials are at hand.
type Config struct {
	Bucket string
	Prefix string // of all keys; a "/" is put between prefix and key

	// Endpoint is the store's URL without a path. By default Google's, or what
	// STORAGE_EMULATOR_HOST says, which is asked without credentials.
	Endpoint string
	// RedirectEndpoint is Endpoint as clients reach it that are sent there by
	// signed URLs; by default they reach it as this process does.
	RedirectEndpoint string
	// RedirectBucketBound says that RedirectEndpoint is the bucket's own host: a load
	// balancer with a backend bucket, or a CNAME. Its paths begin with the key.
	RedirectBucketBound bool
	// UniverseDomain, by default googleapis.com.
	UniverseDomain string
	// UserProject is billed for requests to a requester-pays bucket.
	UserProject string

	// CredentialsFile takes the place of the application default credentials.
	CredentialsFile string
	// CredentialsJSON is such a file's content.
	CredentialsJSON string `json:"-"`
	Anonymous       bool   // requests carry no credentials
	// ServiceAccount is the account that signs URLs where the credentials hold no
	// private key. By default their own.
	ServiceAccount string
	// IAMEndpoint is where such URLs are signed; by default Google's.
	IAMEndpoint string

	StorageClass string // "" is the bucket's default
	KMSKey       string // projects/P/locations/L/keyRings/R/cryptoKeys/K; "" is the bucket's default

	PartSize    int64 // preferred size of an upload's first pieces; 0 is 16 MiB
	Concurrency int   // preferred parts in flight; 0 leaves it to the caller

	driver.Network
}

// String is fit for logs: it has no credentials.
func (c Config) String() string {
	if c.CredentialsJSON != "" {
		c.CredentialsJSON = "***"
	}
	type bare Config // has no String
	return fmt.Sprintf("%+v", bare(c))
}

// GoString is String.
func (c Config) GoString() string { return c.String() }

// check returns an Invalid error for the first thing that is wrong in c.
func (c Config) check() error {
	switch {
	case c.Bucket == "":
		return fmt.Errorf("no bucket is named, want gs://bucket/prefix: %w", driver.Invalid)
	case strings.ContainsAny(c.Bucket, "/?#@: "):
		return fmt.Errorf("bucket %q: not the name of a bucket: %w", c.Bucket, driver.Invalid)
	case c.CredentialsFile != "" && c.CredentialsJSON != "":
		return fmt.Errorf("credentials and credentials_file exclude each other: %w", driver.Invalid)
	case c.CredentialsJSON != "" && !json.Valid([]byte(c.CredentialsJSON)):
		return fmt.Errorf("credentials: not JSON: %w", driver.Invalid)
	case c.RedirectBucketBound && c.RedirectEndpoint == "":
		return fmt.Errorf("redirect_bucket_bound: set redirect_endpoint to the bucket's own address: %w", driver.Invalid)
	case c.Anonymous && (c.CredentialsFile+c.CredentialsJSON != "" || c.ServiceAccount != ""):
		return fmt.Errorf("anonymous excludes all other credentials: %w", driver.Invalid)
	case c.StorageClass != "" && !slices.Contains(storageClasses, c.StorageClass):
		return cloud.OneOf("storage_class", c.StorageClass, storageClasses)
	case c.KMSKey != "" && !strings.HasPrefix(c.KMSKey, "projects/"):
		return fmt.Errorf("kms_key %q: want projects/P/locations/L/keyRings/R/cryptoKeys/K: %w", c.KMSKey, driver.Invalid)
	case strings.ContainsAny(c.UniverseDomain, "/:@?#"):
		return fmt.Errorf("universe_domain: want a domain such as %s: %w", defaultUniverse, driver.Invalid)
	case strings.ContainsAny(c.ServiceAccount, "/?#: "):
		return fmt.Errorf("service_account %q: want its email address: %w", c.ServiceAccount, driver.Invalid)
	case c.PartSize < 0 || c.PartSize > limits.MaxSize || c.Concurrency < 0:
		return fmt.Errorf("sizes and counts must not be negative, nor parts over %s: %w", driver.FormatBytes(limits.MaxSize), driver.Invalid)
	}
	if _, err := cloud.NewPrefix(c.Prefix); err != nil {
		return err
	}
	if err := driver.CheckNetwork(c.Network); err != nil {
		return err
	}
	if err := checkEndpoint("endpoint", c.Endpoint); err != nil {
		return err
	}
	if err := checkEndpoint("redirect_endpoint", c.RedirectEndpoint); err != nil {
		return err
	}
	if err := checkEndpoint("iam_endpoint", c.IAMEndpoint); err != nil {
		return err
	}
	return c.checkCredentialsFile()
}

func (c Config) checkCredentialsFile() error {
	if c.CredentialsFile == "" {
		return nil
	}
	data, err := os.ReadFile(c.CredentialsFile)
	if err != nil {
		return fmt.Errorf("credentials_file: %w: %w", err, driver.Invalid)
	}
	if !json.Valid([]byte(driver.TrimSecret(string(data)))) {
		return fmt.Errorf("credentials_file %s: not JSON: %w", c.CredentialsFile, driver.Invalid)
	}
	return nil
}

// checkEndpoint wants a URL without a path: the APIs have theirs.
func checkEndpoint(name, endpoint string) error {
	if err := cloud.CheckEndpoint(name, endpoint, "https://storage.example.com"); err != nil {
		return err
	}
	if u, err := url.Parse(endpoint); err == nil && strings.Trim(u.Path, "/") != "" {
		return fmt.Errorf("%s: want a URL without a path: %w", name, driver.Invalid)
	}
	return nil
}

// emulator is what STORAGE_EMULATOR_HOST names, as a URL.
func emulator() string {
	host := os.Getenv("STORAGE_EMULATOR_HOST")
	if host == "" {
		return ""
	}
	if !strings.Contains(host, "://") {
		host = "http://" + host
	}
	if u, err := url.Parse(host); err == nil {
		return u.Scheme + "://" + u.Host // the SDK too leaves a path aside
	}
	return host
}

// withDefaults is c with what the environment and Google's services add.
func (c Config) withDefaults() Config {
	c.UniverseDomain = cmp.Or(c.UniverseDomain, defaultUniverse)
	if c.Endpoint == "" {
		if e := emulator(); e != "" {
			c.Endpoint = e
			c.Anonymous = c.CredentialsFile+c.CredentialsJSON == ""
		}
	}
	c.Endpoint = strings.TrimSuffix(cmp.Or(c.Endpoint, "https://storage."+c.UniverseDomain), "/")
	c.IAMEndpoint = strings.TrimSuffix(cmp.Or(c.IAMEndpoint, "https://iamcredentials."+c.UniverseDomain), "/")
	return c
}
