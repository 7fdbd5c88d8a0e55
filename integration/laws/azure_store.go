package laws

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// direct uses no connection twice: Azurite, as all of Node.js, closes connections that
// are idle for 5 s, and a request that is being sent on one is lost.
var direct = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// blobName is the name of a blob in the account.
type blobName struct{ container, key string }

func (c call) blob() blobName { return blobName{c.bucket, c.key} }

// azureContainer is a client of the store behind all laws.
func (e *Enforcer) azureContainer(name string) (*container.Client, error) {
	key, err := container.NewSharedKeyCredential(e.azure.Account, e.azure.Key)
	if err != nil {
		return nil, err
	}
	o := &container.ClientOptions{}
	o.Retry = policy.RetryOptions{MaxRetries: -1}
	o.Transport = direct
	return container.NewClientWithSharedKeyCredential(e.azure.Endpoint+"/"+name, key, o)
}

// stored returns the properties of a committed blob. ok is false if there is none.
func (e *Enforcer) stored(ctx context.Context, b blobName) (p blob.GetPropertiesResponse, ok bool) {
	c, err := e.azureContainer(b.container)
	if err == nil {
		p, err = c.NewBlobClient(b.key).GetProperties(ctx, nil)
	}
	if err != nil && !bloberror.HasCode(err, bloberror.BlobNotFound, bloberror.ContainerNotFound) {
		e.logf("properties of %v: %v", b, err)
	}
	return p, err == nil
}

// sourceOf returns the name of the blob that a copy reads. ok is false for sources
// outside the account.
func (e *Enforcer) sourceOf(c call) (b blobName, ok bool) {
	u, err := url.Parse(c.Header.Get("X-Ms-Copy-Source"))
	if err != nil {
		return blobName{}, false
	}
	return e.nameIn(u)
}

// nameIn returns the name of the blob at a URL that has the account in its path.
func (e *Enforcer) nameIn(u *url.URL) (b blobName, ok bool) {
	names := strings.SplitN(strings.TrimPrefix(u.Path, "/"), "/", 3)
	if len(names) != 3 || names[0] != e.azure.Account {
		return blobName{}, false
	}
	return blobName{names[1], names[2]}, true
}

// onSuccess passes a call on, and calls then if it succeeds, before the client knows.
func onSuccess(w http.ResponseWriter, c call, next handler, then func()) {
	answer := ask(c, next)
	if answer.Code < http.StatusMultipleChoices {
		then()
	}
	reply(w, answer, nil)
}

// commitsBlob reports whether an operation, when it succeeds, replaces a blob.
func commitsBlob(op string) bool {
	switch op {
	case "Put Blob", "Put Block List", "Copy Blob", "Copy Blob From URL", "Put Blob From URL":
		return true
	}
	return false
}
