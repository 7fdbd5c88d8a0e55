package signatures

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/friend"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/manifests"
)

// Links keeps signatures as Docker's first schema of manifests had them: the key
// _manifests/revisions/<algorithm>/<hex>/signatures/<algorithm>/<hex>/link of the repository names
// the blob. A signature is a JSON object, in that schema a JSON Web Signature.
//
// Distribution has not read them since version 2.6, and its collection of garbage deletes the
// blobs; blobdock's keeps them as long as the manifest.
func Links(store *blobstore.Store, r *manifests.Repository) Service {
	f := friend.Of(store)
	return &links{store, f, f.Layout(), r}
}

type links struct {
	store     *blobstore.Store
	friend    friend.Store
	layout    layout.Layout
	manifests *manifests.Repository
}

// atOnce is how many signatures are read or written at the same time.
const atOnce = 8

func (s *links) Get(ctx context.Context, d digest.Digest) ([][]byte, error) {
	all, err := s.list(ctx, d)
	if err != nil {
		return nil, err
	}
	found := make([][]byte, len(all))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, signature := range all {
		g.Go(func() (err error) {
			found[i], err = s.read(gctx, signature)
			return err
		})
	}
	return found, g.Wait()
}

// list is the digests of d's signatures. There is no link without its blob: that is written first,
// and collected last.
func (s *links) list(ctx context.Context, d digest.Digest) (all []digest.Digest, err error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("signatures of %q: %w", d, err)
	}
	for e, err := range driver.List(ctx, s.store.Bucket(), driver.ListRequest{Prefix: s.layout.Signatures(s.manifests.Name(), d)}) {
		if err != nil {
			return nil, fmt.Errorf("signatures of %s: %w", d, err)
		}
		if n, ok := s.layout.Parse(e.Key); ok && n.Kind == layout.SignatureLink {
			all = append(all, n.Digest)
		}
	}
	return all, nil
}

func (s *links) read(ctx context.Context, signature digest.Digest) ([]byte, error) {
	r, err := s.friend.OpenKey(ctx, s.layout.Blob(signature), 0)
	if err != nil {
		return nil, fmt.Errorf("signature %s: %w", signature, err)
	}
	defer r.Close()
	p, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("signature %s: %w", signature, err)
	}
	if signature.Algorithm().FromBytes(p) != signature {
		return nil, fmt.Errorf("signature %s: content has another digest: %w", signature, driver.Corrupt)
	}
	return p, nil
}

func (s *links) Put(ctx context.Context, d digest.Digest, signatures ...[]byte) error {
	if err := checkAll(signatures, func(p []byte) error { return object(p, new(map[string]any)) }); err != nil {
		return err
	}
	if _, err := s.manifests.Read(ctx, d); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for _, p := range signatures {
		// Also what is there: it may be condemned, with the manifest before it was pushed again.
		g.Go(func() error { return s.put(gctx, d, digest.FromBytes(p), p) })
	}
	return g.Wait()
}

// rounds bounds how often a signature is put again because that took so long that its blob may have
// been collected before the link was seen.
const rounds = 3

func (s *links) put(ctx context.Context, d, signature digest.Digest, p []byte) error {
	watch, key := s.friend.Watch(), s.layout.SignatureLink(s.manifests.Name(), d, signature)
	for range rounds {
		sight, err := watch.Clear(ctx, signature)
		if err == nil {
			err = s.store.PutBlob(ctx, signature, int64(len(p)), bytes.NewReader(p), blobstore.BlobOptions{})
		}
		if err == nil {
			err = s.friend.PutLink(ctx, key, signature, "application/octet-stream")
		}
		if err != nil {
			return fmt.Errorf("signature %s of %s: %w", signature, d, err)
		}
		if !watch.Expired(sight.T0) {
			return nil
		}
	}
	return fmt.Errorf("signature %s of %s: writing it takes too long: %w", signature, d, driver.Unavailable)
}
