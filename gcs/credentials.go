package gcs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"

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
	files   *cloud.Files // nil where there is none
	json    string
	options credentials.DetectOptions
	turn    chan struct{} // held by the one who looks
	found   atomic.Pointer[auth.Credentials]
	signer  atomic.Pointer[string] // the account that signs, once it is known
}

func newIdentity(c Config, tr *http.Transport) *identity {
	return &identity{
		file:  c.CredentialsFile,
		files: cloud.NewFiles(c.CredentialsFile),
		json:  c.CredentialsJSON,
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
func (i *identity) credentials(ctx context.Context) (*auth.Credentials, error) {
	if i.files.Changed() {
		if found, err := i.look(); err == nil { // a file names all, so that this asks nobody
			i.found.Store(found)
			i.signer.Store(nil)
		}
	}
	if found := i.found.Load(); found != nil {
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
		if err != nil {
			return nil, &cloud.IdentityError{Err: err}
		}
		return i.found.Load(), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (i *identity) detect() error {
	if i.found.Load() != nil {
		return nil // while this one waited
	}
	found, err := i.look()
	if err != nil {
		return err
	}
	i.found.Store(found)
	return nil
}

func (i *identity) look() (*auth.Credentials, error) {
	data, name := []byte(i.json), "credentials"
	if i.file != "" {
		var err error
		if data, err = os.ReadFile(i.file); err != nil {
			return nil, err
		}
		name = "credentials file " + i.file
	}
	if len(data) == 0 && i.file == "" {
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

func (a authorizer) RoundTrip(req *http.Request) (*http.Response, error) {
	signed, err := a.authorize(req)
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	return a.next.RoundTrip(signed)
}

func (a authorizer) authorize(req *http.Request) (*http.Request, error) {
	ctx := req.Context()
	found, err := a.identity.credentials(ctx)
	if err != nil {
		return nil, err
	}
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
