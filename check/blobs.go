package check

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// Why the content of a blob can't be had.
const (
	isMissing  = "is missing"
	isEmpty    = "is empty"
	isCorrupt  = "has other content"
	isArchived = "is in an archive"
)

// listBlobs fills the index.
func (r *run) listBlobs(ctx context.Context) error {
	keys := int64(0)
	for e, err := range driver.List(ctx, r.bucket, driver.ListRequest{Prefix: r.layout.Blobs()}) {
		if err != nil {
			return fmt.Errorf("blobs: %w", err)
		}
		keys++
		name, ok := r.layout.Parse(e.Key)
		switch {
		case ok:
			var f flag
			if r.young(e.ModTime) {
				f = young
			}
			r.blobs.add(name.Digest, e.Size, f)
			if err := r.encoded(ctx, name.Digest, e.Object); err != nil {
				return err
			}
		case layout.IsHidden(e.Key):
			continue
		default:
			if err := r.stray(ctx, e.Object); err != nil {
				return err
			}
		}
		r.count(func(s *Summary) Progress {
			if ok {
				s.Blobs++
				s.BlobBytes += e.Size
				if r.young(e.ModTime) {
					s.YoungBlobs++
				}
			}
			return Progress{Blobs, keys, keys}
		})
	}
	return nil
}

// encoded tells, once, of a blob with a Content-Encoding. Some stores show it in listings,
// others when the blob is read.
func (r *run) encoded(ctx context.Context, d digest.Digest, o driver.Object) error {
	if b, ok := r.blobs.get(d); !ok || o.ContentEncoding == "" || b.is(encoded) {
		return nil
	}
	r.blobs.mark(d, encoded)
	return r.found(ctx, Finding{Kind: BlobEncoded, Key: o.Key, Digest: d, Detail: o.ContentEncoding + "; push it again"}, nil)
}

// stray tells of a key below blobs/ that is no blob's.
func (r *run) stray(ctx context.Context, o driver.Object) error {
	if r.young(o.ModTime) {
		return nil
	}
	// Distribution takes whatever is called data for a blob.
	if path.Base(o.Key) == "data" {
		return r.found(ctx, Finding{Kind: BlobStray, Key: o.Key, Detail: "its name is no digest's"}, nil)
	}
	return r.found(ctx, Finding{Kind: KeyUnknown, Key: o.Key}, nil)
}

// look returns what is known of the blob d, and why its content can't be had, ""
// where it can. What the listing did not have is asked for: it may have come since.
func (r *run) look(ctx context.Context, d digest.Digest) (blob, string, error) {
	b, ok := r.blobs.get(d)
	if !ok || hollow(d, b.size) {
		obj, err := r.stat(ctx, d)
		if errors.Is(err, driver.NotFound) {
			return blob{}, isMissing, nil
		}
		if err != nil {
			return blob{}, "", err
		}
		if !ok {
			b.flags = young
		}
		b.size = obj.Size
		r.blobs.add(d, b.size, b.flags)
	}
	switch {
	case b.is(corrupt):
		return b, isCorrupt, nil
	case b.is(archived):
		return b, isArchived, nil
	case hollow(d, b.size):
		return b, isEmpty, nil
	}
	return b, "", nil
}

func (r *run) stat(ctx context.Context, d digest.Digest) (driver.Object, error) {
	if err := r.take(ctx); err != nil {
		return driver.Object{}, err
	}
	defer r.give()
	obj, err := r.bucket.Stat(ctx, r.layout.Blob(d))
	if err != nil && !errors.Is(err, driver.NotFound) {
		err = fmt.Errorf("blob %s: %w", d, err)
	}
	return obj, err
}

// hollow reports whether a blob of that size is what a broken upload left behind.
func hollow(d digest.Digest, size int64) bool {
	return size == 0 && d != d.Algorithm().FromBytes(nil)
}

// leftovers tells of blobs that are empty, and of those that nobody has.
func (r *run) leftovers(ctx context.Context) error {
	if r.summary.Repositories == 0 && r.summary.Blobs == 0 {
		return fmt.Errorf("below %s/: %w", r.layout.Root, ErrNoRegistry)
	}
	var empty []digest.Digest
	for d, b := range r.blobs.all() {
		if b.is(young) || (r.partly() && !b.is(linked)) {
			continue
		}
		if hollow(d, b.size) {
			empty = append(empty, d)
		}
		if b.is(linked) {
			continue
		}
		r.count(func(s *Summary) Progress {
			s.Orphans++
			s.OrphanBytes += b.size
			return Progress{Repositories, s.Links, s.Links}
		})
		detail := fmt.Sprintf("%d bytes", b.size)
		if err := r.found(ctx, Finding{Kind: BlobOrphan, Key: r.layout.Blob(d), Digest: d, Detail: detail}, nil); err != nil {
			return err
		}
	}
	for _, d := range empty {
		_, state, err := r.look(ctx, d)
		if err != nil {
			return err
		}
		if state != isEmpty {
			continue
		}
		f := Finding{Kind: BlobEmpty, Key: r.layout.Blob(d), Digest: d, Detail: "remove the object and push it again"}
		if err := r.found(ctx, f, nil); err != nil {
			return err
		}
	}
	return nil
}

// keys lists what the repositories have.
func (r *run) keys(ctx context.Context) iter.Seq2[driver.Entry, error] {
	prefixes := []string{r.layout.Repositories()}
	if r.partly() {
		prefixes = nil
		for _, name := range r.options.Repositories {
			prefixes = append(prefixes, r.layout.Repository(name)+"_") // and not of those below it
		}
	}
	return func(yield func(driver.Entry, error) bool) {
		for _, prefix := range prefixes {
			for e, err := range driver.List(ctx, r.bucket, driver.ListRequest{Prefix: prefix}) {
				if err != nil {
					err = fmt.Errorf("repositories: %w", err)
				}
				if !yield(e, err) {
					return
				}
			}
		}
	}
}
