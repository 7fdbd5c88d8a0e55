package emulator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	blobs "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
)

// Azure is how to reach a blob service: with the account in the path, and with
// the account's shared key.
type Azure struct {
	Endpoint string // http://127.0.0.1:port/account, no slash at its end
	Account  string
	Key      string
	Way      string // Environment, Docker or Native
}

// The account that Azurite has; its key is no secret.
// https://learn.microsoft.com/en-us/azure/storage/common/storage-use-azurite
const (
	azuriteAccount = "devstoreaccount1"
	azuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

func azuriteAzure(server, way string) Azure {
	return Azure{Endpoint: server + "/" + azuriteAccount, Account: azuriteAccount, Key: azuriteKey, Way: way}
}

// NewContainer makes an empty container under a name of its own and removes it,
// with all that is in it, at the end of the test.
func (a Azure) NewContainer(tb testing.TB) string {
	tb.Helper()
	return forTest(tb, a.MakeContainer, a.DropContainer)
}

// MakeContainer makes an empty container under a name of its own.
func (a Azure) MakeContainer(ctx context.Context) (string, error) {
	name := newName()
	c, err := a.Container(name)
	if err != nil {
		return "", err
	}
	_, err = c.Create(ctx, nil)
	return name, err
}

// DropContainer removes a container with all that is in it.
func (a Azure) DropContainer(ctx context.Context, name string) error {
	c, err := a.Container(name)
	if err != nil {
		return err
	}
	_, err = c.Delete(ctx, nil)
	return err
}

// closing uses no connection twice: Azurite, as all of Node.js, closes those that are idle
// for 5 s, and what is being sent on one then is lost.
var closing = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// Container is a client of a container, without retries: failures show.
func (a Azure) Container(name string) (*container.Client, error) {
	key, err := container.NewSharedKeyCredential(a.Account, a.Key)
	if err != nil {
		return nil, errors.New("the account's key is not base64")
	}
	o := &container.ClientOptions{}
	o.Retry = policy.RetryOptions{MaxRetries: -1}
	o.Transport = closing
	return container.NewClientWithSharedKeyCredential(a.Endpoint+"/"+name, key, o)
}

// ping asks for the service's properties.
func (a Azure) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	key, err := blobs.NewSharedKeyCredential(a.Account, a.Key)
	if err != nil {
		return errors.New("the account's key is not base64")
	}
	o := &blobs.ClientOptions{}
	o.Retry = policy.RetryOptions{MaxRetries: -1}
	s, err := blobs.NewClientWithSharedKeyCredential(a.Endpoint+"/", key, o)
	if err != nil {
		return err
	}
	_, err = s.GetProperties(ctx, nil)
	return err
}

// environmentAzure returns the server that the environment names.
func environmentAzure(ctx context.Context) (a Azure, ok bool, err error) {
	endpoint := os.Getenv("BLOBDOCK_AZURE_ENDPOINT")
	if endpoint == "" || os.Getenv(wayVar) != "" {
		return Azure{}, false, nil
	}
	a = Azure{
		Endpoint: strings.TrimSuffix(endpoint, "/"),
		Account:  getenv("BLOBDOCK_AZURE_ACCOUNT", azuriteAccount),
		Key:      getenv("BLOBDOCK_AZURE_KEY", azuriteKey),
		Way:      Environment,
	}
	if err := a.ping(ctx); err != nil {
		return Azure{}, false, fmt.Errorf("BLOBDOCK_AZURE_ENDPOINT: %w; unset it to have a server started", err)
	}
	fmt.Fprintf(os.Stderr, "emulator: Azure at %s (%s)\n", a.Endpoint, Environment)
	return a, true, nil
}
