package azure

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
	"github.com/blobdock/blobdock/internal/lend"
)

// Bucket is a container of an Azure storage account. It implements driver.Bucket.
type Bucket struct {
	lent
	credential Credential // never CredentialAuto
	client     *container.Client
	transport  *http.Transport
	account    string
	container  string
	endpoint   string // of the account, no slash at its end
	version    string // of the protocol
	public     string // the same, for those who are given signed URLs
	prefix     cloud.Prefix
	auth       authority
	write      attributes
	checksum   Checksum
	delegated  delegation
	features   driver.Features
	clock      cloud.Clock
	hierarchy  sync.Once // the warning of it
}

// lent is the SDK's client for this module's tests.
type lent = lend.Client

var _ driver.Bucket = (*Bucket)(nil)

// Open makes a Bucket. It makes no request: a wrong container or key shows at
// the first call.
func Open(_ context.Context, c Config) (*Bucket, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("azure: %w", err)
	}
	b, err := open(c)
	if err != nil {
		return nil, fmt.Errorf("azure: %w", err)
	}
	return b, nil
}

func open(c Config) (*Bucket, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	s, err := c.secrets()
	if err != nil {
		return nil, err
	}
	tr, err := cloud.NewTransport(c.Network)
	if err != nil {
		return nil, err
	}
	prefix, err := c.prefix()
	if err != nil {
		return nil, err
	}
	b := &Bucket{
		credential: c.Credential, transport: tr, container: c.Container, prefix: prefix, account: s.account, endpoint: s.endpoint,
		version: cmp.Or(c.APIVersion, newestVersion),
		public:  strings.TrimSuffix(cmp.Or(c.RedirectEndpoint, s.endpoint), "/"),
		write:   attributes{tier: c.Tier, scope: c.EncryptionScope}, checksum: cmp.Or(c.Checksum, ChecksumCRC64),
	}
	if b.auth, err = s.authority(c, tr, &b.clock); err != nil {
		return nil, err
	}
	if b.client, err = b.auth.container(b.containerURL()); err != nil {
		return nil, fmt.Errorf("client: %w: %w", errText(err), driver.Invalid)
	}
	b.lent = lend.New(b.client)
	b.features = b.offer(c)
	return b, nil
}

// Limits of block blobs.
// https://learn.microsoft.com/en-us/azure/storage/blobs/scalability-targets
// https://learn.microsoft.com/en-us/rest/api/storageservices/put-blob
// https://learn.microsoft.com/en-us/rest/api/storageservices/copy-blob-from-url
const (
	kib = 1 << 10
	mib = 1 << 20

	maxBlock  = 4000 * mib // Put Block, and Put Block From URL
	maxBlocks = 50_000
	maxPut    = 5000 * mib // Put Blob
	maxCopy   = 256 * mib  // Copy Blob From URL
	maxBatch  = 256        // https://learn.microsoft.com/en-us/rest/api/storageservices/blob-batch

	// A part copy is one synchronous request: long ones die in between, and many
	// short ones run in parallel.
	defaultCopyPart        = 64 * mib
	defaultCopyConcurrency = 8
)

func (b *Bucket) offer(c Config) driver.Features {
	f := driver.Features{
		Settings:    b.settings,
		Permissions: permissions,
		Now:         b.clock.Now,
		Transport:   cloud.Transport{Transport: b.transport, TLS: cloud.NewTLSFiles(c.Network)},
		Name:        "azure",
		Parts: driver.PartLimits{
			MinSize: 1, MaxSize: maxBlock, MaxParts: maxBlocks,
			MaxObject: int64(maxBlock) * maxBlocks, // 190.7 TiB
			MaxPut:    maxPut,
		},
		Conds: driver.Conds{
			Put: driver.AllConds, Complete: driver.AllConds, Copy: driver.AllConds,
			Delete: driver.CondIfMatch, DeleteBatch: true,
		},
		Metadata:    true,
		Uploads:     b,
		PartSize:    c.PartSize,
		Concurrency: c.Concurrency,
		Copying: driver.CopyPlan{
			PartSize:    cmp.Or(c.CopyPartSize, int64(defaultCopyPart)),
			Concurrency: cmp.Or(c.CopyConcurrency, defaultCopyConcurrency),
		},
	}
	if b.auth.kind == anonymous {
		return f
	}
	f.Copy, f.CopyMax, f.CopyPart = b.copyObject, maxCopy, b.copyPart
	f.DeleteBatch, f.BatchMax = b.deleteBatch, maxBatch
	// A URL made of somebody else's signature would hand that on.
	// The SDK signs with a user's key for its own version of the protocol alone.
	if b.auth.kind == sharedKey || b.auth.kind == token && b.signs() && b.version == newestVersion {
		f.Sign, f.Conds.DeleteNotAfter = b.sign, true
	}
	return f
}

// Features tells what the store offers.
func (b *Bucket) Features() driver.Features { return b.features }

// Close frees idle connections.
func (b *Bucket) Close() error {
	b.transport.CloseIdleConnections()
	return nil
}

// full is key as the store knows it.
func (b *Bucket) full(key string) string { return b.prefix.Full(key) }

func (b *Bucket) blob(key string) *blob.Client { return b.client.NewBlobClient(b.full(key)) }
func (b *Bucket) blockBlob(key string) *blockblob.Client {
	return b.client.NewBlockBlobClient(b.full(key))
}

func (b *Bucket) containerURL() string { return b.endpoint + "/" + b.container }

// blobURL is the address of an object at an endpoint, without anything that opens
// it.
func (b *Bucket) blobURL(endpoint, key string) string {
	return endpoint + "/" + b.container + "/" + escape(b.full(key))
}

// escape is cloud.EscapePath, of a name that may begin with a slash: two in a row would be one to
// proxies.
func escape(name string) string {
	if rest, older := strings.CutPrefix(name, "/"); older {
		return "%2F" + cloud.EscapePath(rest)
	}
	return cloud.EscapePath(name)
}

// checkKey is driver.CheckKey with the prefix counted.
func (b *Bucket) checkKey(key string) error {
	if strings.Contains(key, `\`) {
		return fmt.Errorf("key %q has a backslash, which Azure takes for a slash: %w", key, driver.Invalid)
	}
	return b.prefix.CheckKey(key)
}
