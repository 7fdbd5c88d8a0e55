package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/driver"
)

// listTags asks for all tags of one repository.
func (v *visit) listTags(ctx context.Context) error {
	return v.list(ctx, "/v2/"+tagged+"/tags/list", "tags", tags)
}

// listCatalog asks for n repositories at once.
func (v *visit) listCatalog(ctx context.Context, n int) error {
	return v.list(ctx, fmt.Sprintf("/v2/_catalog?n=%d", n), "repositories", n)
}

// list asks for a list whose field must have n names.
func (v *visit) list(ctx context.Context, path, field string, n int) error {
	res, err := v.do(ctx, http.MethodGet, v.base+path, nil, nil, http.StatusOK)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer map[string]json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var names []string
	if err := json.Unmarshal(answer[field], &names); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if len(names) != n {
		return fmt.Errorf("%s: %d %s, want %d", path, len(names), field, n)
	}
	return nil
}

// tagged is the repository with many tags.
const tagged = "bench/tags"

// seedTags writes what pushes of so many tags would have left. Thousands of pushes
// would take longer than all that is measured.
func (v *visit) seedTags(ctx context.Context) error {
	names := make([]string, tags)
	for i := range names {
		names[i] = fmt.Sprintf("v%04d", i)
	}
	return v.write(ctx, links(tagged, names...))
}

// seedCatalog does the same for n repositories with one tag each.
func (v *visit) seedCatalog(ctx context.Context, n int) error {
	var keys []string
	for i := range n {
		keys = append(keys, links(fmt.Sprintf("catalog/r%04d", i), "latest")...)
	}
	return v.write(ctx, keys)
}

// listed is the digest that the links of all these tags hold.
var listed = digest.FromString("a manifest that nobody asks for")

// links are the keys that a manifest with these tags has in distribution's layout.
func links(repo string, names ...string) []string {
	root, link := "docker/registry/v2/repositories/"+repo, "/sha256/"+listed.Encoded()+"/link"
	keys := []string{root + "/_layers" + link, root + "/_manifests/revisions" + link}
	for _, name := range names {
		tag := root + "/_manifests/tags/" + name
		keys = append(keys, tag+"/current/link", tag+"/index"+link)
	}
	return keys
}

// write puts a link at each of the keys.
func (v *visit) write(ctx context.Context, keys []string) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(clients)
	body := listed.String()
	for _, key := range keys {
		g.Go(func() error {
			_, err := v.bucket.Put(ctx, key, io.NewSectionReader(strings.NewReader(body), 0, int64(len(body))), driver.WriteOptions{})
			return err
		})
	}
	return g.Wait()
}
