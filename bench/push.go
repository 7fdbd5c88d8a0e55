package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/bench/content"
)

// begin starts an upload and returns where it goes on.
func (v *visit) begin(ctx context.Context, repo string) (string, error) {
	h, err := v.done(ctx, http.MethodPost, v.base+"/v2/"+repo+"/blobs/uploads/", nil, http.StatusAccepted)
	return h.Get("Location"), err
}

// pushMono pushes by POST and PUT.
func (v *visit) pushMono(ctx context.Context, repo string, c content.Content) error {
	at, err := v.begin(ctx, repo)
	if err != nil {
		return err
	}
	_, err = v.done(ctx, http.MethodPut, at+"&digest="+digestOf(c).String(), c.Reader(), http.StatusCreated)
	return err
}

// pushStream pushes by POST, PATCHes of at most chunk bytes, and PUT.
func (v *visit) pushStream(ctx context.Context, repo string, c content.Content, chunk int64) error {
	at, err := v.begin(ctx, repo)
	if err != nil {
		return err
	}
	for off := int64(0); off < c.Size; off += chunk {
		h, err := v.done(ctx, http.MethodPatch, at, c.Section(off, min(chunk, c.Size-off)), http.StatusAccepted)
		if err != nil {
			return fmt.Errorf("at byte %d: %w", off, err)
		}
		at = h.Get("Location")
	}
	_, err = v.done(ctx, http.MethodPut, at+"&digest="+digestOf(c).String(), nil, http.StatusCreated)
	return err
}

// pushSmall pushes many small blobs from several clients.
func (v *visit) pushSmall(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(clients)
	for i := range smalls {
		g.Go(func() error {
			c := content.Content{Size: smallSize, Seed: uint64(1000 + i)}
			return v.pushStream(ctx, "bench/push", c, smallSize)
		})
	}
	return g.Wait()
}

// mount has one repository take a blob from another.
func (v *visit) mount(ctx context.Context, to, from string, d digest.Digest) error {
	_, err := v.done(ctx, http.MethodPost, v.base+"/v2/"+to+"/blobs/uploads/?mount="+d.String()+"&from="+from, nil, http.StatusCreated)
	return err
}
