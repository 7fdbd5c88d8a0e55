package gcs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// scope lets the roles of the account decide.
// https://cloud.google.com/storage/docs/oauth-scopes
const scope = "https://www.googleapis.com/auth/devstorage.full_control"

// platform is what signing by IAM needs as well.
const platform = "https://www.googleapis.com/auth/cloud-platform"

// identity is who makes the requests. It is looked for when the first call needs
// it: the search may end at the metadata server.
type identity struct {
	file    string
	json    string
	options credentials.DetectOptions
	turn    chan struct{} // held by the one who looks
	found   atomic.Pointer[loaded]
	signer  atomic.Pointer[string] // the account that signs, once it is known
}

// loaded are credentials, and the version of the file that they are from.
type loaded struct {
	*auth.Credentials
	file fileVersion
}

// fileVersion changes when a file is replaced.
type fileVersion struct {
	modified time.Time
	size     int64
}

// version is that of the file with the key; zero without a file or an identity.
func (i *identity) version() fileVersion {
	if i == nil {
		return fileVersion{}
	}
	info, err := os.Stat(i.path())
	if err != nil {
		return fileVersion{}
	}
	return fileVersion{info.ModTime(), info.Size()}
}

// path is that of the file with the key, "" without one.
func (i *identity) path() string {
	if i.file == "" && i.json == "" {
		return os.Getenv("GOOGLE_APPLICATION_CREDENTIALS")
	}
	return i.file
}

// current returns the credentials unless there are none yet, or their file was replaced.
func (i *identity) current() *loaded {
	if found := i.found.Load(); found != nil && found.file == i.version() {
		return found
	}
	return nil
}

// drop has credentials that the store does not accept looked for anew.
func (i *identity) drop(refused *loaded) { i.found.CompareAndSwap(refused, nil) }

func newIdentity(c Config, tr *http.Transport) *identity {
	return &identity{
		file: c.CredentialsFile,
		json: c.CredentialsJSON,
		options: credentials.DetectOptions{
			Scopes:         []string{scope, platform},
			Client:         &http.Client{Transport: tr},
			UniverseDomain: c.UniverseDomain,
		},
		turn: make(chan struct{}, 1),
	}
}

// credentials finds the credentials. The search takes no context, so that a
// caller whose own ends leaves it behind, for the next to profit.
//
// A key file that was replaced is read again. While it can't be read, the credentials from
// the old one go on.
func (i *identity) credentials(ctx context.Context) (*loaded, error) {
	if found := i.current(); found != nil {
		return found, nil
	}
	select {
	case i.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-i.turn }()
		done <- i.detect()
	}()
	select {
	case err := <-done:
		found := i.found.Load()
		if found == nil {
			if err == nil {
				return i.credentials(ctx) // refused meanwhile
			}
			return nil, &cloud.IdentityError{Err: err}
		}
		return found, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (i *identity) detect() error {
	if i.current() != nil {
		return nil // while this one waited
	}
	version := i.version() // before the file is read: a later one is read again
	found, err := i.look()
	if err != nil {
		return err
	}
	i.found.Store(&loaded{found, version})
	i.signer.Store(nil) // it may be another account
	return nil
}

func (i *identity) look() (*auth.Credentials, error) {
	data, name, file := []byte(driver.TrimSecret(i.json)), "credentials", i.path()
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		data, name = []byte(driver.TrimSecret(string(text))), "credentials file "+file
	}
	if len(data) == 0 && file == "" {
		return credentials.DetectDefault(&i.options)
	}
	var kind struct{ Type credentials.CredType }
	if err := json.Unmarshal(data, &kind); err != nil {
		return nil, fmt.Errorf("%s: not JSON", name)
	}
	return credentials.NewCredentialsFromJSON(kind.Type, data, &i.options)
}

// authorizer puts a token into each request.
type authorizer struct {
	next     http.RoundTripper
	identity *identity
}

// mostRotations is how many times a request is sent again whose credentials were replaced
// while it was under way.
const mostRotations = 5

// again reports whether a request is sent once more that was refused for its token after n
// repetitions. signed is the version of the file whose credentials it had. Anonymous requests
// have no identity.
func (i *identity) again(n int, signed fileVersion) bool {
	return i != nil && n < mostRotations && (n == 0 || i.version() != signed)
}

// RoundTrip sends a request. A request that is refused for its token is sent once more with
// credentials that were looked for anew, and again when their file was replaced meanwhile. A
// request whose body can't be had again is repeated by its sender.
func (a authorizer) RoundTrip(req *http.Request) (*http.Response, error) {
	for n := 0; ; n++ {
		resp, found, err := a.send(req)
		if err != nil || resp.StatusCode != http.StatusUnauthorized || req.Body != nil && req.GetBody == nil {
			return resp, err
		}
		if !a.identity.again(n, found.file) {
			return resp, nil
		}
		again := req.Clone(req.Context())
		if req.GetBody != nil {
			body, err := req.GetBody()
			if err != nil {
				return resp, nil //nolint:nilerr // the refusal says more
			}
			again.Body = body
		}
		_ = resp.Body.Close()
		req = again
	}
}

func (a authorizer) send(req *http.Request) (*http.Response, *loaded, error) {
	signed, found, err := a.authorized(req)
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, nil, err
	}
	resp, err := a.next.RoundTrip(signed)
	if err == nil && resp.StatusCode == http.StatusUnauthorized {
		a.identity.drop(found)
	}
	return resp, found, err
}

// authorized is req with a token of the credentials. Those that get none are looked for anew:
// their key may have been replaced, and revoked, while the token was asked for.
func (a authorizer) authorized(req *http.Request) (*http.Request, *loaded, error) {
	found, err := a.identity.credentials(req.Context())
	if err != nil {
		return nil, nil, err
	}
	signed, err := authorize(req, found)
	if err == nil {
		return signed, found, nil
	}
	next, nextErr := a.identity.credentials(req.Context())
	if nextErr != nil || next == found {
		return nil, nil, err
	}
	signed, err = authorize(req, next)
	return signed, next, err
}

func authorize(req *http.Request, found *loaded) (*http.Request, error) {
	ctx := req.Context()
	token, err := found.Token(ctx)
	if err != nil {
		return nil, &cloud.IdentityError{Err: err}
	}
	// Who is billed may be part of the credentials.
	project, err := found.QuotaProjectID(ctx)
	if err != nil {
		return nil, &cloud.IdentityError{Err: err}
	}
	req = req.Clone(ctx)
	req.Header.Set("Authorization", cmp.Or(token.Type, "Bearer")+" "+token.Value)
	if project != "" && req.Header.Get(projectHeader) == "" {
		req.Header.Set(projectHeader, project)
	}
	return req, nil
}

// projectHeader names the project to bill.
// https://cloud.google.com/storage/docs/xml-api/reference-headers#xgooguserproject
const projectHeader = "X-Goog-User-Project"
