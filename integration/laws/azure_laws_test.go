package laws_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/laws"
)

var azureProofs = map[string]func(*testing.T){
	"api-version":          azureAPIVersion,
	"azure-batch-busy":     azureBatchBusy,
	"azure-busy":           azureFails(http.StatusServiceUnavailable, bloberror.ServerBusy),
	"azure-early-deletion": azureEarlyDeletion,
	"azure-internal-error": azureFails(http.StatusInternalServerError, bloberror.InternalError),
	"azure-reset":          azureReset,
	"azure-soft-delete":    azureSoftDelete,
	"azure-timeout":        azureFails(http.StatusInternalServerError, bloberror.OperationTimedOut),
	"blob-type":            azureBlobType,
	"copy-from-url-size":   azureCopySize,
	"copy-from-url-type":   azureCopyType,
	"copy-range-end":       azureCopyRange,
	"folder-placeholders":  azureFolders,
	"read-absent":          azureReadAbsent,
	"sas-start":            azureSASStart,
	"suffix-range":         azureSuffixRange,
	"uncommitted-blocks":   azureUncommitted,
}

// azureClient is the SDK's client of a container behind laws.
type azureClient struct {
	*container.Client
	behind   *container.Client // without laws
	key      *container.SharedKeyCredential
	law      string
	enforcer *laws.Enforcer
}

func newAzureClient(t *testing.T, o laws.Options, law string) azureClient {
	t.Helper()
	server := emulator.StartAzure(t)
	name := server.NewContainer(t)
	through, enforcer := laws.Azure(t, server, o, law)
	key, err := container.NewSharedKeyCredential(server.Account, server.Key)
	if err != nil {
		t.Fatal(err)
	}
	open := func(endpoint string) *container.Client {
		o := &container.ClientOptions{}
		o.Retry = policy.RetryOptions{MaxRetries: -1}
		o.Transport = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		c, err := container.NewClientWithSharedKeyCredential(endpoint+"/"+name, key, o)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	return azureClient{open(through.Endpoint), open(server.Endpoint), key, law, enforcer}
}

// wantAzure fails the test unless err has this code; "" is success.
func wantAzure(t *testing.T, what string, err error, code bloberror.Code) {
	t.Helper()
	if code == "" && err != nil || code != "" && !bloberror.HasCode(err, code) {
		t.Fatalf("%s: %v, want code %q", what, err, code)
	}
}

// refused fails the test unless the law has refused n requests.
func (c azureClient) refused(t *testing.T, n int) {
	t.Helper()
	if got := c.enforcer.Refused(c.law); got != n {
		t.Errorf("%d refusals, want %d: %v", got, n, c.enforcer.Refusals())
	}
}

// counted fails the test unless the law has counted n bytes.
func (c azureClient) counted(t *testing.T, what string, n int64) {
	t.Helper()
	if got := c.enforcer.Bytes(c.law); got != n {
		t.Errorf("%s: %d bytes counted, want %d", what, got, n)
	}
}

// put writes a block blob through the laws.
func (c azureClient) put(t *testing.T, key, data string, o *blockblob.UploadOptions) {
	t.Helper()
	_, err := c.NewBlockBlobClient(key).Upload(t.Context(), body(data), o)
	wantAzure(t, "put "+key, err, "")
}

// append writes an append blob, without laws.
func (c azureClient) append(t *testing.T, key, data string) {
	t.Helper()
	b := c.behind.NewAppendBlobClient(key)
	_, err := b.Create(t.Context(), nil)
	wantAzure(t, "create "+key, err, "")
	_, err = b.AppendBlock(t.Context(), body(data), nil)
	wantAzure(t, "append to "+key, err, "")
}

// stored fails the test unless the store has a blob of this type with this many bytes.
func (c azureClient) stored(t *testing.T, key string, kind blob.BlobType, size int64) {
	t.Helper()
	p, err := c.behind.NewBlobClient(key).GetProperties(t.Context(), nil)
	wantAzure(t, "properties of "+key, err, "")
	if *p.BlobType != kind || *p.ContentLength != size {
		t.Errorf("%s is a %s of %d bytes, want a %s of %d", key, *p.BlobType, *p.ContentLength, kind, size)
	}
}

// absent fails the test if the store has a blob of this name.
func (c azureClient) absent(t *testing.T, key string) {
	t.Helper()
	_, err := c.behind.NewBlobClient(key).GetProperties(t.Context(), nil)
	wantAzure(t, "properties of "+key, err, bloberror.BlobNotFound)
}

// names lists the blobs in the store, without laws.
func (c azureClient) names(t *testing.T) []string {
	t.Helper()
	var names []string
	for pager := c.behind.NewListBlobsFlatPager(nil); pager.More(); {
		page, err := pager.NextPage(t.Context())
		wantAzure(t, "list", err, "")
		for _, b := range page.Segment.BlobItems {
			names = append(names, *b.Name)
		}
	}
	slices.Sort(names)
	return names
}

// url is the signed URL of a blob as seen through the laws. edit changes what is signed.
func (c azureClient) url(t *testing.T, key string, edit func(*sas.BlobSignatureValues)) string {
	t.Helper()
	b := c.NewBlobClient(key)
	parts, err := blob.ParseURL(b.URL())
	if err != nil {
		t.Fatal(err)
	}
	v := sas.BlobSignatureValues{
		StartTime: time.Now().Add(-time.Minute).UTC(), ExpiryTime: time.Now().Add(time.Hour).UTC(),
		Permissions: (&sas.BlobPermissions{Read: true}).String(), ContainerName: parts.ContainerName, BlobName: key,
	}
	if edit != nil {
		edit(&v)
	}
	q, err := v.SignWithSharedKey(c.key)
	if err != nil {
		t.Fatal(err)
	}
	return b.URL() + "?" + q.Encode()
}

func body(data string) io.ReadSeekCloser { return streaming.NopCloser(strings.NewReader(data)) }
