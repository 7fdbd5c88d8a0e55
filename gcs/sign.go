package gcs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"cloud.google.com/go/compute/metadata"
	sdk "cloud.google.com/go/storage"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// maxExpires is from
// https://cloud.google.com/storage/docs/access-control/signed-urls
const maxExpires = 7 * 24 * time.Hour

// sign makes a signed URL. With a service account's key that needs no request;
// else IAM signs, which is one.
//
// A part can't be sent by such a URL: the reply does not tell what names it.
func (b *Bucket) sign(ctx context.Context, r driver.SignRequest) (driver.SignedURL, error) {
	err := b.checkKey(r.Key)
	if err == nil {
		err = r.CheckRead()
	}
	if err != nil {
		return driver.SignedURL{}, driver.NewError(driver.OpSign, r.Key, err)
	}
	ctx, c := begin(ctx, driver.OpSign, r.Key, driver.Cond{})
	signed, err := b.signed(ctx, r)
	if err != nil {
		return driver.SignedURL{}, c.fail(ctx, err)
	}
	return signed, nil
}

func (b *Bucket) signed(ctx context.Context, r driver.SignRequest) (driver.SignedURL, error) {
	expires := time.Now().Add(min(r.Expires, maxExpires).Truncate(time.Second))
	o := &sdk.SignedURLOptions{Method: r.Method, Expires: expires, QueryParameters: b.query(r)}
	endpoint := cmp.Or(b.config.RedirectEndpoint, b.config.Endpoint)
	at, err := url.Parse(endpoint)
	if err != nil {
		return driver.SignedURL{}, err
	}
	// https://cloud.google.com/storage/docs/request-endpoints#custom-domains
	if b.config.RedirectBucketBound {
		o.Style = sdk.BucketBoundHostname(at.Host)
	}
	signed, err := b.signedURL(ctx, at, r.Key, o)
	if err != nil {
		return driver.SignedURL{}, err
	}
	return driver.SignedURL{URL: signed, Expires: expires}, nil
}

// signedURL signs o for an object at an endpoint.
func (b *Bucket) signedURL(ctx context.Context, at *url.URL, key string, o *sdk.SignedURLOptions) (string, error) {
	o.Scheme, o.Hostname, o.Insecure = sdk.SigningSchemeV4, at.Host, at.Scheme == "http"
	if err := b.signer(ctx, o); err != nil {
		return "", err
	}
	return sdk.SignedURL(b.name, b.full(key), o)
}

// query is what the reply is to have instead of what the object has, and who pays.
// https://cloud.google.com/storage/docs/xml-api/reference-headers#query
func (b *Bucket) query(r driver.SignRequest) url.Values {
	q := url.Values{}
	for name, v := range map[string]string{
		"response-content-type":        r.ContentType,
		"response-cache-control":       r.CacheControl,
		"response-content-disposition": r.ContentDisposition,
		"userProject":                  b.config.UserProject,
	} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if len(q) == 0 {
		return nil
	}
	return q
}

// keyFile is what a credentials file tells about who signs.
type keyFile struct {
	ClientEmail      string `json:"client_email"`
	PrivateKey       string `json:"private_key"`
	ImpersonationURL string `json:"service_account_impersonation_url"`
}

// signer fills in who signs and how.
func (b *Bucket) signer(ctx context.Context, o *sdk.SignedURLOptions) error {
	found, err := b.identity.credentials(ctx)
	if err != nil {
		return err
	}
	var file keyFile
	if data := found.JSON(); len(data) > 0 {
		_ = json.Unmarshal(data, &file) // a file that tells nothing is like none
	}
	account := b.config.ServiceAccount
	if file.PrivateKey != "" && file.ClientEmail != "" && (account == "" || account == file.ClientEmail) {
		o.GoogleAccessID, o.PrivateKey = file.ClientEmail, []byte(file.PrivateKey)
		return nil
	}
	if account == "" {
		if account, err = b.account(ctx, file); err != nil {
			return err
		}
	}
	o.GoogleAccessID = account
	o.SignBytes = func(data []byte) ([]byte, error) { return b.signBlob(ctx, account, data) }
	return nil
}

// account finds the service account that the credentials act for.
func (b *Bucket) account(ctx context.Context, file keyFile) (string, error) {
	if file.ImpersonationURL != "" {
		if u, err := url.Parse(file.ImpersonationURL); err == nil {
			name, _, _ := strings.Cut(path.Base(u.Path), ":")
			return name, nil
		}
	}
	if known := b.identity.signer.Load(); known != nil {
		return *known, nil
	}
	if file != (keyFile{}) || !metadata.OnGCEWithContext(ctx) {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", driver.NewError(driver.OpSign, "", fmt.Errorf("the credentials are no service account's: name one in service_account: %w", driver.Denied))
	}
	name, err := metadata.EmailWithContext(ctx, "default")
	if err != nil {
		return "", &cloud.IdentityError{Err: err}
	}
	b.identity.signer.Store(&name)
	return name, nil
}

// signBlob lets IAM sign with a key that it keeps to itself.
// https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob
func (b *Bucket) signBlob(ctx context.Context, account string, data []byte) ([]byte, error) {
	body, err := json.Marshal(map[string][]byte{"payload": data})
	if err != nil {
		return nil, err
	}
	target := b.config.IAMEndpoint + "/v1/projects/-/serviceAccounts/" + url.PathEscape(account) + ":signBlob"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := b.do(req)
	if err != nil {
		return nil, fmt.Errorf("sign as %s: %w", account, err)
	}
	defer func() { _ = resp.Body.Close() }()
	var reply struct {
		SignedBlob []byte `json:"signedBlob"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&reply); err != nil {
		return nil, fmt.Errorf("reply of signBlob: %w", err)
	}
	return reply.SignedBlob, nil
}
