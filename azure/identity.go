package azure

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azcloud "github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// identity is the SDK's default chain. It marks the errors of credentials, so that they can
// be told from those of the store. The chain reads a certificate when it is made, and keeps a
// federated token for minutes: where it fails and their files have changed, it is made anew.
type identity struct {
	make func() (azcore.TokenCredential, error)
	mu   sync.Mutex
	now  azcore.TokenCredential
	read string // what the files were when the chain was made
}

// newIdentity makes the chain, whose members and their order AZURE_TOKEN_CREDENTIALS can set,
// and the host that it asks AZURE_AUTHORITY_HOST. Its requests go by the transport.
// https://learn.microsoft.com/en-us/azure/developer/go/sdk/authentication/credential-chains
func newIdentity(by policy.Transporter) (*identity, error) {
	// The SDK takes these as they are, and says no more than that the authority refused them.
	for _, name := range []string{"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"} {
		if v := os.Getenv(name); v != driver.TrimSecret(v) {
			return nil, fmt.Errorf("%s has white space, quotes or a byte order mark at an end: remove it", name)
		}
	}
	i := &identity{make: func() (azcore.TokenCredential, error) {
		return azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{
			ClientOptions:            policy.ClientOptions{Transport: by},
			DisableInstanceDiscovery: privateCloud(os.Getenv("AZURE_AUTHORITY_HOST")),
		})
	}}
	_, err := i.chain(true)
	return i, err
}

// privateCloud reports whether an authority is none of Microsoft's public ones, which alone
// can be asked about it.
// https://learn.microsoft.com/en-us/entra/identity-platform/authentication-national-cloud
func privateCloud(host string) bool {
	host = strings.TrimSuffix(host, "/")
	if host == "" {
		return false
	}
	for _, c := range []azcloud.Configuration{azcloud.AzurePublic, azcloud.AzureChina, azcloud.AzureGovernment} {
		if strings.EqualFold(host, strings.TrimSuffix(c.ActiveDirectoryAuthorityHost, "/")) {
			return false
		}
	}
	return true
}

// chain is the one in use. With anew it is made again if files have changed since.
func (i *identity) chain(anew bool) (azcore.TokenCredential, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if files := identityFiles(); anew && (i.now == nil || files != i.read) {
		made, err := i.make()
		if err != nil {
			return i.now, err
		}
		i.now, i.read = made, files
	}
	return i.now, nil
}

// identityFiles tells the versions of the files that the chain reads.
func identityFiles() string {
	var all strings.Builder
	for _, name := range []string{"AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE"} {
		if info, err := os.Stat(os.Getenv(name)); err == nil {
			all.WriteString(info.ModTime().Format(time.RFC3339Nano))
		}
		all.WriteByte(' ')
	}
	return all.String()
}

// GetToken implements azcore.TokenCredential.
func (i *identity) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	ctx = cloud.Begin(ctx, nil)
	used, _ := i.chain(false)
	t, err := used.GetToken(ctx, o)
	if err != nil && ctx.Err() == nil {
		if renewed, rerr := i.chain(true); rerr == nil && renewed != used {
			t, err = renewed.GetToken(ctx, o)
		}
	}
	if err != nil {
		return t, &cloud.IdentityError{Err: err}
	}
	return t, nil
}
