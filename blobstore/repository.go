package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/blobstore/internal/upload"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/internal/tombstone"
)

// Repository is the blobs that one repository links to. Errors that the
// distribution package has a value for are returned as that value, unwrapped,
// because its handlers compare with ==.
type Repository struct {
	store *Store
	name  string
}

var (
	_ distribution.BlobStore      = (*Repository)(nil)
	_ distribution.BlobEnumerator = (*Repository)(nil)
)

// Lookup finds the blob d. ErrBlobUnknown when the repository has no link to it,
// even if the bucket has the blob.
//
// Link and blob are looked up at the same time, in one round trip; for a HEAD
// one after the other, as that is what a client sends before it pushes: mostly
// there is no link, and no second request. A blob that was found is found again
// without asking the store, for as long as Options.LookupTTL says, but by a HEAD.
func (r *Repository) Lookup(ctx context.Context, d digest.Digest) (*Blob, error) {
	if err := checkDigest(d); err != nil {
		// Nothing can be stored under it, so it is simply not there.
		return nil, distribution.ErrBlobUnknown
	}
	// A client that is told by a HEAD that a blob is there does not send it: that
	// answer must be true now.
	if requestOf(ctx).head {
		return r.lookupPromised(ctx, d)
	}
	if b := r.store.lookups.get(ctx, r.name, d); b != nil && !b.assumed {
		return b, nil
	}
	return r.lookupUncached(ctx, d, r.store.statBlob)
}

// lookupUncached is Lookup that asks the store in any case, for the blob itself by find.
func (r *Repository) lookupUncached(ctx context.Context, d digest.Digest, find func(context.Context, digest.Digest) (driver.Object, error)) (*Blob, error) {
	return r.lookupSince(ctx, d, r.store.watch.Peek(d), find)
}

// lookupSince is lookupUncached that takes what sight hides for absent.
func (r *Repository) lookupSince(ctx context.Context, d digest.Digest, sight tombstone.Sight, find func(context.Context, digest.Digest) (driver.Object, error)) (_ *Blob, err error) {
	ctx, span := traced(ctx, "lookup", r.name, "", d)
	defer span.end(&err)
	epoch := r.store.cacheEpoch.Load()
	var (
		link    link
		obj     driver.Object
		findErr error
	)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		link, err = r.readLink(gctx, d)
		return err
	})
	early := !requestOf(ctx).head
	if early {
		g.Go(func() error {
			obj, findErr = find(gctx, d)
			return nil // the link decides first
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if link.target != d { // under which it may be condemned
		other, err := r.store.watch.Read(ctx, link.target)
		if err != nil {
			return nil, fmt.Errorf("blob %s: %w", link.target, err)
		}
		sight = sight.And(other)
	}
	if !early || link.target != d {
		obj, findErr = find(ctx, link.target)
	}
	if findErr != nil {
		return nil, findErr
	}
	if sight.Hides(link.object) || sight.Hides(obj) {
		return nil, distribution.ErrBlobUnknown
	}
	b := &Blob{store: r.store, repository: r.name, digest: d, target: link.target, object: obj, since: sight.T0}
	r.cachePut(ctx, b, epoch)
	return b, nil
}

// link is what makes a blob one of a repository.
type link struct {
	target digest.Digest
	object driver.Object
}

func (r *Repository) readLink(ctx context.Context, d digest.Digest) (link, error) {
	key := r.store.layout.LayerLink(r.name, d)
	rd, err := r.store.bucket.Open(ctx, key, driver.Range{}, driver.ReadOptions{})
	if errors.Is(err, driver.NotFound) {
		return link{}, distribution.ErrBlobUnknown
	}
	if err != nil {
		return link{}, fmt.Errorf("link: %w", err)
	}
	defer rd.Close()
	b, err := io.ReadAll(io.LimitReader(rd, layout.MaxLink))
	if err != nil {
		return link{}, fmt.Errorf("link %q: %w", key, err)
	}
	target := digest.Digest(b)
	if err := target.Validate(); err != nil {
		return link{}, fmt.Errorf("link %q: %w: %w", key, driver.Corrupt, err)
	}
	return link{target, rd.Object}, nil
}

// linked caches that d, whose link says target, is a blob of the repository, at obj. The
// cache's epoch and the tombstones were read before the link was written.
func (r *Repository) linked(ctx context.Context, d, target digest.Digest, obj driver.Object, epoch uint64, sight tombstone.Sight) {
	// It may have replaced a broken one of another size, which is kept no longer.
	r.cachePut(ctx, &Blob{store: r.store, repository: r.name, digest: d, target: target, object: obj, since: sight.T0}, epoch)
}

// published is the object of a blob that has just been stored.
func (s *Store) published(d digest.Digest, size int64) driver.Object {
	return driver.Object{Key: s.layout.Blob(d), Size: size, ModTime: time.Now(), ContentType: contentType}
}

// cachePut caches b unless a deletion happened since epoch was read.
func (r *Repository) cachePut(ctx context.Context, b *Blob, epoch uint64) {
	r.store.lookups.put(ctx, b)
	if r.store.cacheEpoch.Load() != epoch {
		r.store.lookups.drop(ctx, r.name, b.digest)
	}
}

// Forget has the next Lookup of d ask the store, as after a deletion.
func (r *Repository) Forget(ctx context.Context, d digest.Digest) {
	r.store.cacheEpoch.Add(1)
	r.store.lookups.drop(ctx, r.name, d)
}

// Stat describes the blob d. Errors are those of Lookup.
func (r *Repository) Stat(ctx context.Context, d digest.Digest) (v1.Descriptor, error) {
	b, err := r.Lookup(ctx, d)
	if err != nil {
		return v1.Descriptor{}, err
	}
	return b.Descriptor(), nil
}

// Get returns the whole blob d, having compared its digest.
func (r *Repository) Get(ctx context.Context, d digest.Digest) ([]byte, error) {
	b, err := r.Lookup(ctx, d)
	if err != nil {
		return nil, err
	}
	return b.Get(ctx)
}

// Open returns a reader of the blob d, see [Blob.Open].
func (r *Repository) Open(ctx context.Context, d digest.Digest) (io.ReadSeekCloser, error) {
	b, err := r.Lookup(ctx, d)
	if err != nil {
		return nil, err
	}
	return b.Open(ctx), nil
}

// Put stores p as a blob.
func (r *Repository) Put(ctx context.Context, mediaType string, p []byte) (_ v1.Descriptor, err error) {
	d := digest.FromBytes(p)
	ctx, span := traced(ctx, "put", r.name, "", d)
	defer span.end(&err)
	epoch := r.store.cacheEpoch.Load()
	sight, err := r.guarded(ctx, d, func(tombstone.Sight) error { return r.store.engine.PutContent(ctx, r.name, d, p) })
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("blob %s: %w", d, err)
	}
	r.linked(ctx, d, d, r.store.published(d, int64(len(p))), epoch, sight)
	return typed(descriptor(d, int64(len(p))), mediaType), nil
}

// Push stores content, which must have desc's digest and size, as a blob of the repository.
// Nothing shows before the digest has been compared: distribution.ErrBlobInvalidDigest when
// it differs, ErrBodyLength when the size does. Content that the store has already is read
// and compared, and not sent again. The memory that it takes counts against the budget, for
// which it waits. It can't be resumed: what it has written is removed when it fails.
func (r *Repository) Push(ctx context.Context, desc v1.Descriptor, content io.Reader) (err error) {
	d := desc.Digest
	ctx, span := traced(ctx, "push", r.name, "", d)
	defer span.end(&err)
	if err := checkDigest(d); err != nil {
		return err
	}
	epoch := r.store.cacheEpoch.Load()
	var done upload.Pushed
	sight, err := r.guarded(ctx, d, func(tombstone.Sight) (err error) {
		done, err = r.store.engine.Push(ctx, upload.Push{Repository: r.name, Digest: d, Size: desc.Size, Content: content})
		return err
	})
	if err != nil {
		return asDistribution(fmt.Errorf("blob %s: %w", d, err))
	}
	r.linked(ctx, d, d, r.store.published(d, done.Size), epoch, sight)
	return nil
}

// PushAny is Push of content that may tell by its end what it is: a digest that is "", which is
// then SHA-256, and a negative size. Content without a digest is sent also where the store has it.
func (r *Repository) PushAny(ctx context.Context, desc v1.Descriptor, content io.Reader) (_ v1.Descriptor, err error) {
	if desc.Digest != "" && desc.Size >= 0 {
		return desc, r.Push(ctx, desc, content)
	}
	ctx, span := traced(ctx, "push", r.name, "", desc.Digest)
	defer span.end(&err)
	if desc.Digest != "" {
		if err := checkDigest(desc.Digest); err != nil {
			return v1.Descriptor{}, err
		}
	}
	epoch := r.store.cacheEpoch.Load()
	done, err := r.store.engine.Push(ctx, upload.Push{Repository: r.name, Digest: desc.Digest, Size: desc.Size, Content: content})
	if err != nil {
		return v1.Descriptor{}, asDistribution(err)
	}
	desc.Digest, desc.Size = done.Digest, done.Size
	sight, err := r.confirm(ctx, desc.Digest, done.Sight)
	if err != nil {
		return v1.Descriptor{}, err
	}
	r.linked(ctx, desc.Digest, desc.Digest, r.store.published(desc.Digest, desc.Size), epoch, sight)
	return desc, nil
}

// Create is CreateWriter for distribution.BlobStore.
func (r *Repository) Create(ctx context.Context, options ...distribution.BlobCreateOption) (distribution.BlobWriter, error) {
	w, err := r.CreateWriter(ctx, options...)
	if err != nil {
		return nil, err
	}
	return w, nil
}

// CreateWriter begins an upload, or mounts a blob from another repository and returns
// distribution.ErrBlobMounted. A mount that can't be done becomes an upload. The source is
// asked for the blob whatever an option says of it: it may be gone by now.
func (r *Repository) CreateWriter(ctx context.Context, options ...distribution.BlobCreateOption) (*Writer, error) {
	var (
		o    distribution.CreateOptions
		hint digest.Digest
	)
	for _, opt := range options {
		if err := opt.Apply(&o); err != nil {
			return nil, err
		}
		if d, ok := opt.(digestOption); ok {
			hint = digest.Digest(d)
			if err := checkDigest(hint); err != nil {
				return nil, err
			}
		}
	}
	if o.Mount.ShouldMount {
		desc, err := r.Mount(ctx, o.Mount.From)
		if err == nil {
			return nil, distribution.ErrBlobMounted{From: o.Mount.From, Descriptor: desc}
		}
		if driver.IsContextError(err) {
			return nil, err
		}
		r.store.options.Log.DebugContext(ctx, "mount became an upload", "repository", r.name, "digest", o.Mount.From.Digest(), "from", o.Mount.From.Name(), "cause", err)
	}
	return r.begin(ctx, hint)
}

func (r *Repository) begin(ctx context.Context, d digest.Digest) (_ *Writer, err error) {
	request := requestOf(ctx).upload()
	if d != "" {
		request.Digest = d
	}
	inner, span := traced(ctx, "create", r.name, "", d)
	defer span.end(&err)
	up, err := r.store.engine.Create(inner, r.name, request)
	if err != nil {
		return nil, err
	}
	up.Within(ctx)
	return &Writer{ctx: ctx, repo: r, upload: up}, nil
}

// Resume is ResumeWriter for distribution.BlobStore. For a GET or HEAD, see [WithRequest],
// it is Status instead: what it returns can't be written to.
func (r *Repository) Resume(ctx context.Context, id string) (distribution.BlobWriter, error) {
	if requestOf(ctx).reads {
		s, err := r.Status(ctx, id)
		if err != nil {
			return nil, err
		}
		return progress{s}, nil
	}
	w, err := r.ResumeWriter(ctx, id)
	if err != nil {
		return nil, err
	}
	return w, nil
}

// UploadStatus is how far an upload has got.
type UploadStatus struct {
	ID        string // to go on from
	Size      int64  // bytes that are persisted
	StartedAt time.Time
}

// Status tells how far the upload has got that goes on from id, of which there may be
// several branches: the furthest. distribution.ErrBlobUploadUnknown when there is none, or
// no longer.
func (r *Repository) Status(ctx context.Context, id string) (_ UploadStatus, err error) {
	ctx, span := traced(ctx, "status", r.name, id, "")
	defer span.end(&err)
	p, err := r.store.engine.Status(ctx, r.name, id)
	if err != nil {
		return UploadStatus{}, asDistribution(err)
	}
	return UploadStatus{ID: p.ID, Size: p.Size, StartedAt: p.Started}, nil
}

// ResumeWriter continues the upload id, wherever it was begun.
// distribution.ErrBlobUploadUnknown when there is none, or no longer.
func (r *Repository) ResumeWriter(ctx context.Context, id string) (_ *Writer, err error) {
	inner, span := traced(ctx, "resume", r.name, id, "")
	defer span.end(&err)
	up, err := r.store.engine.Resume(inner, r.name, id, requestOf(ctx).upload())
	if err != nil {
		return nil, asDistribution(err)
	}
	up.Within(ctx)
	return &Writer{ctx: ctx, repo: r, upload: up}, nil
}

// Mount links the blob of another repository into this one.
// distribution.ErrBlobUnknown when the other does not have it.
func (r *Repository) Mount(ctx context.Context, from reference.Canonical) (v1.Descriptor, error) {
	d := from.Digest()
	return r.mount(ctx, d, func(sight tombstone.Sight) (digest.Digest, driver.Object, error) {
		// A blob in the cache may have been deleted, and a mount promises that it is there.
		b, err := r.store.Repository(from).lookupSince(ctx, d, sight, r.store.statBlob)
		if err != nil {
			return "", driver.Object{}, err
		}
		return b.target, b.object, nil
	})
}

// MountAny links the blob d into the repository if the bucket has it, whichever repository it
// belongs to, or to none any more. It does not ask who may read d: a registry leaves that to
// [Repository.Mount]. distribution.ErrBlobUnknown when the bucket does not have it, or has it
// with another size than size, of which -1 is any, or another checksum: a push replaces it then.
func (r *Repository) MountAny(ctx context.Context, d digest.Digest, size int64) (v1.Descriptor, error) {
	if err := checkDigest(d); err != nil {
		return v1.Descriptor{}, err
	}
	return r.mount(ctx, d, func(sight tombstone.Sight) (digest.Digest, driver.Object, error) {
		obj, trusted, err := r.store.engine.Trusted(ctx, d, size)
		if err = foundBlob(d, obj, err); err == nil && (!trusted || sight.Hides(obj)) {
			err = distribution.ErrBlobUnknown
		}
		return d, obj, err
	})
}

// mount links the blob d, which find finds, into the repository.
func (r *Repository) mount(ctx context.Context, d digest.Digest, find func(tombstone.Sight) (digest.Digest, driver.Object, error)) (_ v1.Descriptor, err error) {
	ctx, span := traced(ctx, "mount", r.name, "", d)
	defer span.end(&err)
	target := d
	var obj driver.Object
	epoch := r.store.cacheEpoch.Load()
	sight, err := r.guarded(ctx, d, func(sight tombstone.Sight) (err error) {
		if target, obj, err = find(sight); err != nil {
			return err
		}
		if err := r.store.engine.Link(ctx, r.name, d, target); err != nil {
			return fmt.Errorf("link: %w", err)
		}
		return nil
	})
	if err != nil {
		return v1.Descriptor{}, err
	}
	r.linked(ctx, d, target, obj, epoch, sight)
	return descriptor(d, obj.Size), nil
}

// Delete takes the blob d out of this repository. The content stays until
// garbage collection finds that no repository has it.
func (r *Repository) Delete(ctx context.Context, d digest.Digest) (err error) {
	ctx, span := traced(ctx, "delete", r.name, "", d)
	defer span.end(&err)
	r.Forget(ctx, d)
	defer r.Forget(ctx, d) // what was looked up meanwhile
	if _, err := r.Lookup(ctx, d); err != nil {
		return err
	}
	if err := r.store.bucket.Delete(ctx, r.store.layout.LayerLink(r.name, d), driver.DeleteOptions{}); err != nil {
		return fmt.Errorf("link: %w", err)
	}
	return nil
}

// Enumerate calls f with every digest that the repository links to, in order,
// whether or not the blob is there.
func (r *Repository) Enumerate(ctx context.Context, f func(digest.Digest) error) error {
	for e, err := range driver.List(ctx, r.store.bucket, driver.ListRequest{Prefix: r.store.layout.Layers(r.name)}) {
		if err != nil {
			return fmt.Errorf("layers of %s: %w", r.name, err)
		}
		if name, ok := r.store.layout.Parse(e.Key); ok && name.Kind == layout.LayerLink {
			if err := f(name.Digest); err != nil {
				return err
			}
		}
	}
	return nil
}
