package azure

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// secrets are what c and the environment say about the account.
type secrets struct {
	account  string
	endpoint string // no slash at its end
	key      string
	sas      string
	kind     authKind
}

type authKind int

const (
	token authKind = iota
	sharedKey
	signature
	anonymous
)

func (c Config) secrets() (secrets, error) {
	s := secrets{account: c.Account, endpoint: strings.TrimSuffix(c.Endpoint, "/")}
	c, err := c.complete()
	if err != nil {
		return s, err
	}
	kind, err := c.find(&s)
	if err != nil {
		return s, err
	}
	s.kind = kind
	s.account = cmp.Or(s.account, accountOf(s.endpoint))
	s.account = cmp.Or(s.account, secretVariable("AZURE_STORAGE_ACCOUNT"))
	if s.account == "" {
		return s, fmt.Errorf("no storage account: set the account parameter or AZURE_STORAGE_ACCOUNT: %w", driver.Invalid)
	}
	s.endpoint = cmp.Or(s.endpoint, "https://"+s.account+".blob."+cmp.Or(c.Realm, defaultRealm))
	return s, nil
}

// complete is c with the credential that it comes to, which may be in a file or in the
// environment.
func (c Config) complete() (Config, error) {
	if c.KeyFile != "" {
		text, err := os.ReadFile(c.KeyFile)
		if err != nil {
			return c, fmt.Errorf("key_file: %w: %w", err, driver.Invalid)
		}
		if c.Key = driver.TrimSecret(string(text)); c.Key == "" {
			return c, fmt.Errorf("key_file %s is empty: %w", c.KeyFile, driver.Invalid)
		}
	}
	if c.ConnectionString == "" && c.Key == "" && c.SAS == "" {
		c.ConnectionString, c.Key, c.SAS = secretVariable("AZURE_STORAGE_CONNECTION_STRING"), secretVariable("AZURE_STORAGE_KEY"), secretVariable("AZURE_STORAGE_SAS_TOKEN")
	}
	switch {
	case c.Credential != CredentialAuto:
	case c.ConnectionString != "":
		c.Credential = CredentialConnectionString
	case c.Key != "":
		c.Credential = CredentialKey
	case c.SAS != "":
		c.Credential = CredentialSAS
	default:
		c.Credential = CredentialDefault
	}
	return c, nil
}

func secretVariable(name string) string { return driver.TrimSecret(os.Getenv(name)) }

// find fills in what the credential consists of, and tells of which kind it is.
func (c Config) find(s *secrets) (authKind, error) {
	switch c.Credential {
	case CredentialConnectionString:
		return s.connect(c.ConnectionString)
	case CredentialKey:
		if s.key = c.Key; s.key == "" {
			return 0, fmt.Errorf("credential=key: set AZURE_STORAGE_KEY or key_file: %w", driver.Invalid)
		}
		return sharedKey, nil
	case CredentialSAS:
		if s.sas = strings.TrimPrefix(c.SAS, "?"); s.sas == "" {
			return 0, fmt.Errorf("credential=sas: set AZURE_STORAGE_SAS_TOKEN: %w", driver.Invalid)
		}
		return signature, nil
	case CredentialAnonymous:
		return anonymous, nil
	default:
		return token, nil
	}
}

// The account that emulators have, and its key, which is no secret.
// https://learn.microsoft.com/en-us/azure/storage/common/storage-use-azurite
const development = "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;" +
	"AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;" +
	"BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1"

// connect reads a connection string. Account and endpoint that were given by
// themselves go before it.
// https://learn.microsoft.com/en-us/azure/storage/common/storage-configure-connection-string
func (s *secrets) connect(text string) (authKind, error) {
	if text == "" {
		return 0, fmt.Errorf("credential=connection-string: set AZURE_STORAGE_CONNECTION_STRING: %w", driver.Invalid)
	}
	if strings.EqualFold(strings.Trim(text, "; "), "UseDevelopmentStorage=true") {
		text = development
	}
	fields := map[string]string{}
	for part := range strings.SplitSeq(text, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return 0, fmt.Errorf("connection string: want name=value;name=value: %w", driver.Invalid)
		}
		fields[strings.ToLower(strings.TrimSpace(name))] = driver.TrimSecret(value)
	}
	s.account = cmp.Or(s.account, fields["accountname"])
	s.endpoint = cmp.Or(s.endpoint, strings.TrimSuffix(fields["blobendpoint"], "/"))
	if err := checkEndpoint(s.endpoint); err != nil {
		return 0, fmt.Errorf("connection string: %w", err)
	}
	if s.endpoint == "" && s.account != "" {
		s.endpoint = cmp.Or(fields["defaultendpointsprotocol"], "https") + "://" + s.account + ".blob." +
			cmp.Or(fields["endpointsuffix"], defaultRealm)
	}
	switch {
	case fields["accountkey"] != "":
		s.key = fields["accountkey"]
		return sharedKey, nil
	case fields["sharedaccesssignature"] != "":
		s.sas = strings.TrimPrefix(fields["sharedaccesssignature"], "?")
		return signature, nil
	}
	return 0, fmt.Errorf("connection string: has neither AccountKey nor SharedAccessSignature: %w", driver.Invalid)
}

// accountOf is the account that an endpoint names: in its path, as emulators do,
// or at the beginning of its host.
func accountOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || endpoint == "" {
		return ""
	}
	if path := strings.Trim(u.Path, "/"); path != "" {
		first, _, _ := strings.Cut(path, "/")
		return first
	}
	host := u.Hostname()
	if net.ParseIP(host) != nil {
		return ""
	}
	// account.blob.core.windows.net, account.z01.blob.storage.azure.net and so on; a
	// name of one's own tells nothing.
	first, rest, _ := strings.Cut(host, ".")
	if !strings.Contains("."+rest, ".blob.") || !accountName.MatchString(first) {
		return ""
	}
	return first
}

// authority authorizes requests.
type authority struct {
	kind    authKind
	key     *container.SharedKeyCredential
	file    *keyFile // nil where the key is in none
	sas     string
	token   azcore.TokenCredential
	options azcore.ClientOptions
}

func (s secrets) authority(c Config, tr *http.Transport, clock *cloud.Clock) (authority, error) {
	a := authority{kind: s.kind, sas: s.sas, options: policy.ClientOptions{
		Transport: cloud.Transport{Transport: tr, Log: c.LogRequests, Clock: clock, TLS: cloud.NewTLSFiles(c.Network)},
		// blobdock's own wrapper repeats calls, and knows which may be repeated.
		Retry:           policy.RetryOptions{MaxRetries: -1},
		Telemetry:       policy.TelemetryOptions{ApplicationID: "blobdock"},
		PerCallPolicies: []policy.Policy{listFrom{}, onlyUncommitted{}, pinVersion(cmp.Or(c.APIVersion, newestVersion))},
	}}
	switch s.kind {
	case sharedKey:
		key, err := container.NewSharedKeyCredential(s.account, s.key)
		if err != nil {
			// The cause quotes from the key.
			return a, fmt.Errorf("the account's key is not base64: %w", driver.Invalid)
		}
		a.key = key
		if c.KeyFile != "" {
			a.file = &keyFile{path: c.KeyFile, credential: key, text: s.key}
			a.options.PerCallPolicies = append(a.options.PerCallPolicies, a.file)
		}
	case token:
		id, err := newIdentity(cloud.Transport{Transport: tr, Log: c.LogRequests})
		if err != nil {
			return a, fmt.Errorf("default credentials: %w: %w", errText(err), driver.Invalid)
		}
		a.token = id
	}
	return a, nil
}

func (a authority) container(url string) (*container.Client, error) {
	o := &container.ClientOptions{ClientOptions: a.options}
	switch a.kind {
	case sharedKey:
		return container.NewClientWithSharedKeyCredential(url, a.key, o)
	case token:
		return container.NewClient(url, a.token, o)
	case signature:
		return container.NewClientWithNoCredential(url+"?"+a.sas, o)
	default:
		return container.NewClientWithNoCredential(url, o)
	}
}

func (a authority) service(url string) (*service.Client, error) {
	o := &service.ClientOptions{ClientOptions: a.options}
	switch a.kind {
	case sharedKey:
		return service.NewClientWithSharedKeyCredential(url, a.key, o)
	case token:
		return service.NewClient(url, a.token, o)
	case signature:
		return service.NewClientWithNoCredential(url+"?"+a.sas, o)
	default:
		return service.NewClientWithNoCredential(url, o)
	}
}

// errText is err's text alone: what hangs on it may have a request in it.
func errText(err error) error { return errors.New(cloud.OneLine(err.Error())) }
