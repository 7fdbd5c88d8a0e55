package main

import (
	"context"
	"path"
	"strings"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

const azureScheme = "azblob"

// olderLayout tells where a registry is whose keys begin with a slash, beside the place that a URL
// of Azure names: distribution 2 and GitLab's registry wrote such keys. It returns "" where there
// is none, and where that can't be told.
func olderLayout(ctx context.Context, storage string) string {
	u, err := driver.ParseURL(storage)
	if err != nil || u.Scheme != azureScheme || strings.HasPrefix(u.Path, "//") {
		return ""
	}
	u.Path, u.RawPath = "/"+path.Join("/", u.Path), ""
	store, err := openStore(ctx, u.String())
	if err != nil {
		return ""
	}
	defer store.Close()
	page, err := store.Bucket().ListPage(ctx, driver.ListRequest{Prefix: layout.DefaultRoot + "/", Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return ""
	}
	return "a registry of an older layout, whose keys begin with a slash, is at " + redact(u.String())
}
