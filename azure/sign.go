package azure

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/blobdock/blobdock/driver"
)

// maxExpires bounds what is signed by a key of the user's; others have no bound
// of their own, and are given the same.
// https://learn.microsoft.com/en-us/rest/api/storageservices/create-user-delegation-sas
const maxExpires = 7 * 24 * time.Hour

// clockSkew is by how much signatures and keys begin before this machine's clock says so:
// a start that the store takes for the future signs nothing.
const clockSkew = 5 * time.Minute

// sign makes a URL with a shared access signature. With the account's key that
// takes no request; else a key of the user's is fetched now and then.
//
// Only reading can be signed: the reply to a Put Block has nothing by which the
// part could be named afterwards.
func (b *Bucket) sign(ctx context.Context, r driver.SignRequest) (driver.SignedURL, error) {
	err := b.checkKey(r.Key)
	if err == nil {
		err = r.CheckRead()
	}
	if err != nil {
		return driver.SignedURL{}, driver.NewError(driver.OpSign, r.Key, err)
	}
	ctx, c := begin(ctx, driver.OpSign, r.Key)
	// The URL holds whole seconds.
	expires := time.Now().Add(min(r.Expires, maxExpires)).Truncate(time.Second)
	v := b.sas(r.Key, expires, sas.BlobPermissions{Read: true})
	v.ContentType, v.CacheControl, v.ContentDisposition = r.ContentType, r.CacheControl, r.ContentDisposition
	q, expires, err := b.signature(ctx, v)
	if err != nil {
		return driver.SignedURL{}, c.fail(ctx, err)
	}
	return driver.SignedURL{URL: b.blobURL(b.public, r.Key) + "?" + q, Expires: expires}, nil
}

// signature is v as a URL's query, and when it expires: a key of the user's may end
// sooner than v asks for.
func (b *Bucket) signature(ctx context.Context, v sas.BlobSignatureValues) (query string, expires time.Time, err error) {
	var q sas.QueryParameters
	if b.auth.kind == sharedKey {
		b.auth.file.refresh(false)
		q, err = v.SignWithSharedKey(b.auth.key)
	} else {
		key, end, keyErr := b.delegated.get(ctx, b.fetchKey, v.ExpiryTime)
		if keyErr != nil {
			return "", time.Time{}, keyErr
		}
		if end.Before(v.ExpiryTime) {
			v.ExpiryTime = end.UTC()
		}
		q, err = v.SignWithUserDelegation(key)
	}
	return q.Encode(), v.ExpiryTime, err
}

// sas names container and blob explicitly: the SDK would take them from the URL,
// and finds them there only where the account is in the host name or the host is
// an IP address.
func (b *Bucket) sas(key string, expires time.Time, may sas.BlobPermissions) sas.BlobSignatureValues {
	// Accounts may have a policy that wants every signature to tell its start.
	// https://learn.microsoft.com/en-us/azure/storage/common/sas-expiration-policy
	start := time.Now().Add(-clockSkew)
	if first := expires.Add(-maxExpires); start.Before(first) {
		start = first
	}
	v := sas.BlobSignatureValues{
		Version: b.version, Protocol: sas.ProtocolHTTPS, StartTime: start.UTC(), ExpiryTime: expires.UTC(), Permissions: may.String(),
		ContainerName: b.container, BlobName: b.full(key),
	}
	if strings.HasPrefix(b.endpoint, "http:") || strings.HasPrefix(b.public, "http:") {
		v.Protocol = sas.ProtocolHTTPSandHTTP
	}
	return v
}

// signs tells whether the SDK will sign for the right account with a user's key:
// it takes the account from the host's name.
func (b *Bucket) signs() bool {
	u, err := url.Parse(b.endpoint)
	if err != nil {
		return false
	}
	first, _, _ := strings.Cut(u.Host, ".")
	return first == b.account
}

// delegation keeps the user's key that signatures are made with, for as long as
// it lasts.
type delegation struct {
	once sync.Once
	turn chan struct{} // held by the one that fetches
	mu   sync.Mutex
	key  *service.UserDelegationCredential
	from time.Time // when it was fetched
	end  time.Time
}

// keyAge is how old a key gets before it is renewed for a signature that it would
// cut short.
const keyAge = time.Hour

// maxAge is how old a key gets at most: one that was revoked signs nothing, and
// nobody tells.
const maxAge = 24 * time.Hour

type fetch func(ctx context.Context) (key *service.UserDelegationCredential, end time.Time, err error)

// get returns a key that lasts until expires, or is fresh. One caller fetches
// while others wait, each as long as its context lets it.
func (d *delegation) get(ctx context.Context, fetch fetch, expires time.Time) (*service.UserDelegationCredential, time.Time, error) {
	d.once.Do(func() { d.turn = make(chan struct{}, 1) })
	if key, end, ok := d.kept(expires); ok {
		return key, end, nil
	}
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, time.Time{}, ctx.Err()
	}
	defer func() { <-d.turn }()
	if key, end, ok := d.kept(expires); ok {
		return key, end, nil
	}
	key, end, err := fetch(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.key, d.end, d.from = key, end, time.Now()
	return key, end, nil
}

func (d *delegation) kept(expires time.Time) (*service.UserDelegationCredential, time.Time, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	ok := d.key != nil && now.Before(d.end) && now.Sub(d.from) < maxAge && (!d.end.Before(expires) || now.Sub(d.from) < keyAge)
	return d.key, d.end, ok
}

// fetchKey asks for a key for as long as there are any.
// https://learn.microsoft.com/en-us/rest/api/storageservices/get-user-delegation-key
func (b *Bucket) fetchKey(ctx context.Context) (*service.UserDelegationCredential, time.Time, error) {
	client, err := b.auth.service(b.endpoint + "/")
	if err != nil {
		return nil, time.Time{}, err
	}
	start := time.Now().Add(-clockSkew).UTC().Truncate(time.Second)
	end := start.Add(maxExpires)
	key, err := client.GetUserDelegationCredential(ctx, service.KeyInfo{
		Start: to.Ptr(start.Format(sas.TimeFormat)), Expiry: to.Ptr(end.Format(sas.TimeFormat)),
	}, nil)
	return key, end, err
}
