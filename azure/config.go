package azure

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// Credential says what requests are authorized with.
type Credential string

const (
	// CredentialAuto takes the first that is there: fields of Config, then
	// AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN,
	// else the default chain.
	CredentialAuto             Credential = ""
	CredentialKey              Credential = "key"               // the account's shared key
	CredentialConnectionString Credential = "connection-string" // whatever that holds
	CredentialSAS              Credential = "sas"               // a shared access signature
	CredentialDefault          Credential = "default"           // DefaultAzureCredential
	CredentialAnonymous        Credential = "anonymous"         // public containers, to read
)

var credentials = []Credential{CredentialAuto, CredentialKey, CredentialConnectionString, CredentialSAS, CredentialDefault, CredentialAnonymous}

// Config describes a container and how to reach it. Container is enough where
// the environment names the account.
type Config struct {
	Container string
	// Prefix is that of all keys; a "/" is put between prefix and key. One that begins with "//"
	// names keys that begin with "/", as those of registries of older layouts do.
	Prefix string

	// Account is the storage account, by default what the connection string, the
	// endpoint or AZURE_STORAGE_ACCOUNT says.
	Account string
	// Endpoint is the URL of the account's blob service, without the container:
	// https://account.blob.core.windows.net by default, http://host:port/account
	// for emulators.
	Endpoint string
	// RedirectEndpoint is Endpoint as clients reach it that are sent there by
	// signed URLs; by default they reach it as this process does.
	RedirectEndpoint string
	// Realm is the domain of the cloud; "" is core.windows.net.
	Realm string
	// APIVersion is the version of the protocol, such as 2025-05-05, for stores that don't
	// know the newest; "" is the newest that the SDK knows.
	APIVersion string

	Credential       Credential
	Key              string `json:"-"`
	KeyFile          string // holds the key, and nothing else
	SAS              string `json:"-"`
	ConnectionString string `json:"-"`

	Tier            string // Hot, Cool or Cold; of blobs' content; "" is the account's default
	EncryptionScope string // "" is the container's default
	Checksum        Checksum

	PartSize        int64 // preferred size of an upload's first parts; 0 leaves it to the caller
	Concurrency     int   // preferred parts in flight; 0 leaves it to the caller
	CopyPartSize    int64 // 0 is 64 MiB
	CopyConcurrency int   // 0 is 8

	driver.Network
}

// String is fit for logs: it has no credentials.
func (c Config) String() string {
	for _, secret := range []*string{&c.Key, &c.SAS, &c.ConnectionString} {
		if *secret != "" {
			*secret = "***"
		}
	}
	type bare Config // has no String
	return fmt.Sprintf("%+v", bare(c))
}

// GoString is String.
func (c Config) GoString() string { return c.String() }

const defaultRealm = "core.windows.net"

// tiers are those whose objects can be read at once.
// https://learn.microsoft.com/en-us/azure/storage/blobs/access-tiers-overview
var tiers = []blob.AccessTier{"", blob.AccessTierHot, blob.AccessTierCool, blob.AccessTierCold}

// https://learn.microsoft.com/en-us/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
var (
	containerName = regexp.MustCompile(`^(\$root|\$web|[a-z0-9](-?[a-z0-9])*)$`)
	accountName   = regexp.MustCompile(`^[a-z0-9]{3,24}$`)
)

// check returns an Invalid error for the first thing that is wrong in c.
func (c Config) check() error {
	given := 0
	for _, s := range []string{c.Key + c.KeyFile, c.SAS, c.ConnectionString} {
		if s != "" {
			given++
		}
	}
	switch {
	case c.Container == "":
		return fmt.Errorf("no container is named, want azblob://container/prefix: %w", driver.Invalid)
	case !containerName.MatchString(c.Container) || len(c.Container) > 63:
		return fmt.Errorf("container %q: not the name of a container: %w", c.Container, driver.Invalid)
	case c.Account != "" && !accountName.MatchString(c.Account):
		return fmt.Errorf("account %q: not the name of a storage account: %w", c.Account, driver.Invalid)
	case strings.ContainsAny(c.Realm, "/?#@: "):
		return fmt.Errorf("realm: want a domain such as %s: %w", defaultRealm, driver.Invalid)
	case !slices.Contains(credentials, c.Credential):
		return cloud.OneOf("credential", c.Credential, credentials)
	case !slices.Contains(checksums, c.Checksum):
		return cloud.OneOf("checksum", c.Checksum, checksums)
	case !slices.Contains(tiers, blob.AccessTier(c.Tier)):
		return cloud.OneOf("tier", blob.AccessTier(c.Tier), tiers)
	case c.Key != "" && c.KeyFile != "":
		return fmt.Errorf("key and key_file exclude each other: %w", driver.Invalid)
	case c.Credential == CredentialDefault && given > 0, c.Credential == CredentialAnonymous && given > 0,
		c.Credential == CredentialKey && c.SAS+c.ConnectionString != "",
		c.Credential == CredentialSAS && c.Key+c.KeyFile+c.ConnectionString != "",
		c.Credential == CredentialConnectionString && c.Key+c.KeyFile+c.SAS != "":
		return fmt.Errorf("credential=%s excludes what is given beside it: %w", c.Credential, driver.Invalid)
	case c.Realm != "" && (c.Endpoint != "" || c.ConnectionString != ""):
		return fmt.Errorf("realm: endpoint or connection string name the cloud already: %w", driver.Invalid)
	case given > 1:
		return fmt.Errorf("key, SAS and connection string exclude each other: %w", driver.Invalid)
	case c.PartSize < 0 || c.PartSize > maxBlock || c.CopyPartSize < 0 || c.CopyPartSize > maxBlock:
		return fmt.Errorf("part_size and copy_part_size: Azure takes 1B to %s: %w", driver.FormatBytes(maxBlock), driver.Invalid)
	case c.Concurrency < 0 || c.CopyConcurrency < 0:
		return fmt.Errorf("counts must not be negative: %w", driver.Invalid)
	}
	if _, err := c.prefix(); err != nil {
		return err
	}
	if err := driver.CheckNetwork(c.Network); err != nil {
		return err
	}
	if err := cloud.CheckEndpoint("redirect_endpoint", c.RedirectEndpoint, "https://account.blob."+defaultRealm); err != nil {
		return err
	}
	if err := checkVersion(c.APIVersion); err != nil {
		return err
	}
	return checkEndpoint(c.Endpoint)
}

// prefix is c.Prefix as the store knows it. Distribution 2 and GitLab's registry joined the
// container's URL and a path that began with "/".
// https://github.com/distribution/distribution/issues/1247
// https://gitlab.com/gitlab-org/container-registry/-/work_items/854
func (c Config) prefix() (cloud.Prefix, error) {
	p, err := cloud.NewPrefix(c.Prefix)
	if err == nil && strings.HasPrefix(c.Prefix, "//") {
		p = "/" + p
	}
	return p, err
}

func checkEndpoint(endpoint string) error {
	return cloud.CheckEndpoint("endpoint", endpoint, "https://account.blob."+defaultRealm)
}
