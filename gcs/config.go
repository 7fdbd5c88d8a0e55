package gcs

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/blobdock/blobdock/driver"
)

const (
	kib = 1 << 10
	mib = 1 << 20
	tib = 1 << 40

	defaultPartSize     = 16 * mib
	defaultDialTimeout  = 5 * time.Second
	defaultStallTimeout = 60 * time.Second
	defaultUniverse     = "googleapis.com"
)

// limits of uploads in parts.
//
// A part is an object, so that it may be as large as one; 5 TiB is the largest:
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
	// UniverseDomain, by default googleapis.com.
	UniverseDomain string
	// UserProject is billed for requests to a requester-pays bucket.
	UserProject string

	// CredentialsFile takes the place of the application default credentials.
	CredentialsFile string
	Anonymous       bool // requests carry no credentials
	// ServiceAccount is the account that signs URLs where the credentials hold no
	// private key. By default their own.
	ServiceAccount string
	// IAMEndpoint is where such URLs are signed; by default Google's.
	IAMEndpoint string

	StorageClass string // "" is the bucket's default
	KMSKey       string // projects/P/locations/L/keyRings/R/cryptoKeys/K; "" is the bucket's default

	PartSize    int64 // preferred size of an upload's first parts; 0 is 16 MiB
	Concurrency int   // preferred parts in flight; 0 leaves it to the caller

	SkipVerify bool   // any certificate will do; for tests
	CAFile     string // PEM, in place of the system's authorities
	MaxConns   int    // connections to the store; 0 is no limit
	// DialTimeout bounds how long a connection takes to be made; 0 is 5 s.
	DialTimeout time.Duration
	// StallTimeout is how long a connection may stand still in the midst of a
	// request before it is given up; 0 is 60 s. It does not bound the whole of a
	// request that makes progress.
	StallTimeout time.Duration
}

// check returns an Invalid error for the first thing that is wrong in c.
func (c Config) check() error {
	switch {
	case c.Bucket == "":
		return fmt.Errorf("no bucket is named, want gs://bucket/prefix: %w", driver.Invalid)
	case strings.ContainsAny(c.Bucket, "/?#@: "):
		return fmt.Errorf("bucket %q: not the name of a bucket: %w", c.Bucket, driver.Invalid)
	case c.Anonymous && (c.CredentialsFile != "" || c.ServiceAccount != ""):
		return fmt.Errorf("anonymous excludes all other credentials: %w", driver.Invalid)
	case c.StorageClass != "" && !slices.Contains(storageClasses, c.StorageClass):
		return fmt.Errorf("storage_class %q: want one of %s: %w", c.StorageClass, strings.Join(storageClasses, ", "), driver.Invalid)
	case c.KMSKey != "" && !strings.HasPrefix(c.KMSKey, "projects/"):
		return fmt.Errorf("kms_key %q: want projects/P/locations/L/keyRings/R/cryptoKeys/K: %w", c.KMSKey, driver.Invalid)
	case strings.ContainsAny(c.UniverseDomain, "/:@?#"):
		return fmt.Errorf("universe_domain: want a domain such as %s: %w", defaultUniverse, driver.Invalid)
	case strings.ContainsAny(c.ServiceAccount, "/?#: "):
		return fmt.Errorf("service_account %q: want its email address: %w", c.ServiceAccount, driver.Invalid)
	case c.PartSize < 0 || c.PartSize > limits.MaxSize || c.Concurrency < 0 || c.MaxConns < 0:
		return fmt.Errorf("sizes and counts must not be negative, nor parts over %s: %w", driver.FormatBytes(limits.MaxSize), driver.Invalid)
	case c.DialTimeout < 0 || c.StallTimeout < 0:
		return fmt.Errorf("timeouts must not be negative: %w", driver.Invalid)
	}
	if p := c.prefix(); p != "" {
		if err := driver.CheckKey(p[:len(p)-1]); err != nil {
			return fmt.Errorf("prefix: %w", err)
		}
	}
	if err := checkEndpoint("endpoint", c.Endpoint); err != nil {
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
	if !json.Valid(data) {
		return fmt.Errorf("credentials_file %s: not JSON: %w", c.CredentialsFile, driver.Invalid)
	}
	return nil
}

// checkEndpoint does not repeat the endpoint: what is wrong may be a password.
func checkEndpoint(name, endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return fmt.Errorf("%s: want a URL such as https://storage.example.com: %w", name, driver.Invalid)
	case u.User != nil:
		return fmt.Errorf("%s: credentials don't belong into a URL: %w", name, driver.Invalid)
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%s: want a URL without path, query and fragment: %w", name, driver.Invalid)
	}
	return nil
}

// prefix is c.Prefix as it stands before keys: "", or with a "/" at its end.
func (c Config) prefix() string {
	p := strings.Trim(c.Prefix, "/")
	if p == "" {
		return ""
	}
	return p + "/"
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
	c.UniverseDomain = orDefault(c.UniverseDomain, defaultUniverse)
	if c.Endpoint == "" {
		if e := emulator(); e != "" {
			c.Endpoint = e
			c.Anonymous = c.CredentialsFile == ""
		}
	}
	c.Endpoint = strings.TrimSuffix(orDefault(c.Endpoint, "https://storage."+c.UniverseDomain), "/")
	c.IAMEndpoint = strings.TrimSuffix(orDefault(c.IAMEndpoint, "https://iamcredentials."+c.UniverseDomain), "/")
	return c
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
