package integration_test

import (
	"net/url"
	"strings"
	"testing"

	_ "github.com/distribution/distribution/v3/registry/storage/driver/azure"

	_ "github.com/blobdock/blobdock/azure"
	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/wire"
)

// azureCloud is a blob service that has the account in its path.
type azureCloud struct {
	emulator.Azure
	lawful bool   // it stands behind laws
	prefix string // of the path in a storage URL
}

func (c azureCloud) newBucket(t testing.TB) string { return c.NewContainer(t) }

func (c azureCloud) bare(container string) string {
	return "azblob://" + container + c.prefix + "?endpoint=" + url.QueryEscape(c.Endpoint)
}

func (c azureCloud) env(testing.TB) []string { return []string{"AZURE_STORAGE_KEY=" + c.Key} }

func (c azureCloud) url(t testing.TB, container string) string {
	t.Helper()
	return c.bare(container) + "&key_file=" + url.QueryEscape(secretFile(t, c.Key+"\n"))
}

// endpoint has no account, which at adds again.
func (c azureCloud) endpoint() string { return strings.TrimSuffix(c.Endpoint, "/"+c.Account) }

func (c azureCloud) at(endpoint string) cloud {
	c.Endpoint = endpoint + "/" + c.Account
	return c
}

func (c azureCloud) wrong() cloud {
	c.Key = wrongSecret
	return c
}

func (c azureCloud) through(t testing.TB) (cloud, *wire.Proxy) {
	t.Helper()
	a, proxy := wire.Azure(t, c.Azure)
	c.Azure = a
	return c, proxy
}

// stock is distribution's own driver. It streams pulls: it signs URLs for https alone.
func (c azureCloud) stock(_ testing.TB, container string) side {
	return section{
		"azure": {
			"accountname": c.Account, "accountkey": c.Key, "container": container, "serviceurl": c.Endpoint,
			"credentials": map[string]any{"type": "shared_key"},
		},
		"redirect": {"disable": true},
	}
}

// oldStockCloud has an older version of distribution as its stock.
type oldStockCloud struct {
	azureCloud
	program func() (path string, err error)
}

func (c oldStockCloud) stock(t testing.TB, container string) side {
	t.Helper()
	storage := map[string]any{
		"delete":      map[string]any{"enabled": true},
		"maintenance": map[string]any{"uploadpurging": map[string]any{"enabled": false}},
	}
	for name, parameters := range c.azureCloud.stock(t, container).(section) { //nolint:forcetypeassert // it is one
		storage[name] = parameters
	}
	return stockProcess{c.program, nil, storage}
}
