package azure

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/blobdock/blobdock/driver"
)

// keyFile is a file with the account's key, which is rotated now and then: an account has two
// keys, so that one of them can be made anew while the other is in use.
// https://learn.microsoft.com/en-us/azure/storage/common/storage-account-keys-manage
type keyFile struct {
	path       string
	credential *container.SharedKeyCredential

	mu     sync.Mutex
	text   string // the key in use
	looked time.Time
}

// keyFileInterval is how often the file is read at most, unless the store has refused the key.
const keyFileInterval = time.Second

// refresh takes the key that is in the file now, and returns the one in use. A file that can't
// be read, or has no key, changes nothing: it may be about to be written. It is a no-op without
// a file.
func (f *keyFile) refresh(refused bool) (key string) {
	if f == nil {
		return ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !refused && time.Since(f.looked) < keyFileInterval {
		return f.text
	}
	f.looked = time.Now()
	read, err := os.ReadFile(f.path)
	text := driver.TrimSecret(string(read))
	if err == nil && text != "" && text != f.text && f.credential.SetAccountKey(text) == nil {
		f.text = text
	}
	return f.text
}

// Do implements policy.Policy, before requests are signed: one that is refused for its key is
// repeated while the file has another.
func (f *keyFile) Do(req *policy.Request) (*http.Response, error) {
	for used := f.refresh(false); ; {
		resp, err := req.Next()
		if err != nil || resp.StatusCode != http.StatusForbidden || resp.Header.Get("X-Ms-Error-Code") != string(bloberror.AuthenticationFailed) {
			return resp, err
		}
		// A signature in the URL would be the same again.
		next := f.refresh(true)
		if next == used || req.Raw().URL.Query().Has("sig") {
			return resp, nil
		}
		if err := req.RewindBody(); err != nil {
			return nil, err
		}
		_ = resp.Body.Close()
		used = next
	}
}

// replaced is failed, or Unavailable where the store has refused a signature of the used key
// and the file has another now: nothing was done, and the same call is signed by that. It is
// for signatures that Do can't make anew, in URLs and in the requests of a batch.
func (f *keyFile) replaced(used string, failed error) error {
	var e *driver.Error
	if !errors.As(failed, &e) || e.Kind != driver.Denied {
		return failed
	}
	switch bloberror.Code(e.Code) {
	case bloberror.AuthenticationFailed, bloberror.CannotVerifyCopySource:
		if f.refresh(true) != used {
			e.Kind, e.Err = driver.Unavailable, fmt.Errorf("%w; the key has been replaced since", e.Err)
		}
	}
	return failed
}
