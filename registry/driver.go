package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/friend"
	"github.com/blobdock/blobdock/internal/layout"
)

// Name is what the storage driver and the middleware are registered as.
const Name = "blobdock"

// Driver is distribution's storage driver on a blobstore.Store.
type Driver struct {
	store  *blobstore.Store
	friend friend.Store
	bucket driver.Bucket
}

var _ storagedriver.StorageDriver = (*Driver)(nil)

// NewDriver makes a storage driver on s.
func NewDriver(s *blobstore.Store) *Driver {
	return &Driver{store: s, friend: friend.Of(s), bucket: s.Bucket()}
}

// Name implements storagedriver.StorageDriver.
func (d *Driver) Name() string { return Name }

// GetContent implements storagedriver.StorageDriver.
func (d *Driver) GetContent(ctx context.Context, p string) ([]byte, error) {
	if key, err := fileKey(p); err == nil {
		if link, ok := d.friend.CachedLink(ctx, key); ok {
			return []byte(link), nil
		}
	}
	r, err := d.Reader(ctx, p, 0)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return b, d.fail(ctx, p, err)
}

// PutContent implements storagedriver.StorageDriver.
func (d *Driver) PutContent(ctx context.Context, p string, content []byte) error {
	key, err := fileKey(p)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	body := io.NewSectionReader(bytes.NewReader(content), 0, int64(len(content)))
	_, err = d.bucket.Put(ctx, key, body, driver.WriteOptions{SHA256: sum[:]})
	return d.fail(ctx, p, err)
}

// Reader implements storagedriver.StorageDriver.
func (d *Driver) Reader(ctx context.Context, p string, offset int64) (io.ReadCloser, error) {
	key, err := fileKey(p)
	if err != nil {
		return nil, err
	}
	if offset < 0 {
		return nil, storagedriver.InvalidOffsetError{Path: p, Offset: offset, DriverName: Name}
	}
	r, err := d.friend.OpenKey(ctx, key, offset)
	if errors.Is(err, driver.OutOfRange) {
		return nil, storagedriver.InvalidOffsetError{Path: p, Offset: offset, DriverName: Name}
	}
	if err != nil {
		return nil, d.fail(ctx, p, err)
	}
	return r, nil
}

// Writer implements storagedriver.StorageDriver. Content that is committed can be
// appended to only when it has no bytes.
func (d *Driver) Writer(ctx context.Context, p string, resume bool) (storagedriver.FileWriter, error) {
	key, err := fileKey(p)
	if err != nil {
		return nil, err
	}
	f, err := d.friend.Append(ctx, key, resume)
	if err != nil {
		return nil, d.fail(ctx, p, err)
	}
	return f, nil
}

// Stat implements storagedriver.StorageDriver. The names that distribution gives
// to files are looked up by one request; others may be directories, and both are
// looked up at the same time.
func (d *Driver) Stat(ctx context.Context, p string) (storagedriver.FileInfo, error) {
	if p == "/" {
		// The health check: an empty bucket is fine, an absent one is not.
		_, err := d.bucket.ListPage(ctx, driver.ListRequest{Limit: 1})
		return directory(p), d.fail(ctx, p, err)
	}
	key, err := fileKey(p)
	if err != nil {
		return nil, err
	}
	if layout.IsFile(key) {
		if obj, ok := d.friend.CachedBlob(ctx, key); ok {
			return file(p, obj), nil
		}
		obj, err := d.bucket.Stat(ctx, key)
		if err != nil {
			return nil, d.fail(ctx, p, err)
		}
		return file(p, obj), nil
	}

	var (
		obj      driver.Object
		absent   error
		children driver.Page[driver.Entry]
	)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		obj, err = d.bucket.Stat(gctx, key)
		if errors.Is(err, driver.NotFound) {
			absent, err = err, nil
		}
		return err
	})
	g.Go(func() (err error) {
		children, err = d.bucket.ListPage(gctx, driver.ListRequest{Prefix: key + "/", Limit: 1})
		return err
	})
	switch err := g.Wait(); {
	case err != nil:
		return nil, d.fail(ctx, p, err)
	case absent == nil:
		return file(p, obj), nil
	case len(children.Items) > 0:
		return directory(p), nil
	default:
		return nil, d.fail(ctx, p, absent)
	}
}

// List implements storagedriver.StorageDriver.
func (d *Driver) List(ctx context.Context, p string) ([]string, error) {
	infos, err := d.children(ctx, p)
	if err != nil {
		return nil, err
	}
	if len(infos) == 0 && p != "/" {
		return nil, storagedriver.PathNotFoundError{Path: p, DriverName: Name}
	}
	names := make([]string, len(infos))
	for i, fi := range infos {
		names[i] = fi.Path()
	}
	return names, nil
}

// Move implements storagedriver.StorageDriver.
func (d *Driver) Move(ctx context.Context, from, to string) error {
	src, err := fileKey(from)
	if err != nil {
		return err
	}
	dst, err := fileKey(to)
	if err != nil {
		return err
	}
	obj, err := d.bucket.Stat(ctx, src)
	if err != nil {
		return d.fail(ctx, from, err)
	}
	if src == dst {
		return nil // as rename(2) has it
	}
	if err := checkMove(obj, dst); err != nil {
		return d.fail(ctx, from, err)
	}
	if err := d.endChain(ctx, dst); err != nil {
		return d.fail(ctx, to, err)
	}
	defer d.friend.InvalidateAll()
	o := driver.WriteOptions{ContentType: obj.ContentType, Metadata: obj.Metadata, Use: driver.UseBlob}
	err = d.friend.Concat(ctx, driver.ConcatRequest{Key: dst, Sources: []driver.Object{obj}, Options: o, DeleteSources: true})
	if (driver.OutcomeUnknown(err) || errors.Is(err, driver.NotFound)) && d.moved(ctx, obj, dst) {
		return nil
	}
	if err == nil {
		err = d.checkMoved(ctx, obj, dst)
	}
	if err != nil {
		return d.fail(ctx, from, err)
	}
	return d.fail(ctx, from, d.bucket.Delete(ctx, src, driver.DeleteOptions{}))
}

// checkMoved looks whether a copy is there in full, before the source goes: a reply that
// says so is no proof.
func (d *Driver) checkMoved(ctx context.Context, src driver.Object, dst string) error {
	obj, err := d.bucket.Stat(ctx, dst)
	if err != nil {
		return err
	}
	if obj.Size != src.Size {
		return &driver.Error{
			Op: driver.OpConcat, Key: dst, Kind: driver.Unavailable,
			Err: fmt.Errorf("the copy of %q has %d bytes, want %d", src.Key, obj.Size, src.Size),
		}
	}
	return nil
}

// moved reports whether a Move took effect whose reply was lost, or another one of the same
// file: the source went as the destination came.
func (d *Driver) moved(ctx context.Context, src driver.Object, dst string) bool {
	if _, err := d.bucket.Stat(ctx, src.Key); !errors.Is(err, driver.NotFound) {
		return false
	}
	obj, err := d.bucket.Stat(ctx, dst)
	return err == nil && obj.Size == src.Size && obj.Metadata[layout.MetadataSHA256] == src.Metadata[layout.MetadataSHA256]
}

// checkMove refuses to move a file to another digest's key than its content has, as far as
// that is known. Without the middleware distribution keeps one hash state for each offset
// of an upload, and two PATCHes of one range may leave it with the wrong one.
func checkMove(src driver.Object, dst string) error {
	sum, ok := src.Metadata[layout.MetadataSHA256]
	name := strings.Split(dst, "/")
	if !ok || len(name) < 5 || name[len(name)-1] != "data" || name[len(name)-5] != "blobs" || name[len(name)-4] != "sha256" || name[len(name)-2] == sum {
		return nil
	}
	return fmt.Errorf("move %q to %q: the content has sha256 %s: %w", src.Key, dst, sum, driver.Corrupt)
}

// endChain removes what was written to the file at key and not committed.
func (d *Driver) endChain(ctx context.Context, key string) error {
	if path.Base(key) != "data" {
		return nil // distribution appends to no others
	}
	var refs []driver.ObjectRef
	for e, err := range driver.List(ctx, d.bucket, driver.ListRequest{Prefix: layout.Chain(key)}) {
		if err != nil {
			return err
		}
		refs = append(refs, driver.ObjectRef{Key: e.Key, Version: e.Version})
	}
	return driver.DeleteAll(ctx, d.bucket, refs)
}

// Delete implements storagedriver.StorageDriver. A file that was not committed goes with
// its folder.
func (d *Driver) Delete(ctx context.Context, p string) error {
	key, err := fileKey(p)
	if err != nil {
		return err
	}
	var keys []string
	if _, err := d.bucket.Stat(ctx, key); err == nil {
		keys = append(keys, key)
	} else if !errors.Is(err, driver.NotFound) {
		return d.fail(ctx, p, err)
	}
	if len(keys) == 0 || !layout.IsFile(key) {
		for e, err := range driver.List(ctx, d.bucket, driver.ListRequest{Prefix: key + "/"}) {
			if err != nil {
				return d.fail(ctx, p, err)
			}
			keys = append(keys, e.Key)
		}
	}
	if len(keys) == 0 {
		return storagedriver.PathNotFoundError{Path: p, DriverName: Name}
	}
	if err := d.endChain(ctx, key); err != nil {
		return d.fail(ctx, p, err)
	}
	d.friend.InvalidateAll()
	defer d.friend.InvalidateAll() // what was looked up meanwhile
	return d.fail(ctx, p, driver.DeleteAll(ctx, d.bucket, driver.Refs(keys...)))
}

// RedirectURL implements storagedriver.StorageDriver.
func (d *Driver) RedirectURL(r *http.Request, p string) (string, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return "", nil
	}
	key, err := fileKey(p)
	if err != nil {
		return "", err
	}
	u, err := d.friend.SignKey(r.Context(), r.Method, key)
	return u, d.fail(r.Context(), p, err)
}

// fileKey is the key of a path that must not be the root.
func fileKey(p string) (string, error) {
	if !storagedriver.PathRegexp.MatchString(p) || driver.CheckKey(p[1:]) != nil {
		return "", storagedriver.InvalidPathError{Path: p, DriverName: Name}
	}
	return p[1:], nil
}

// fail says in distribution's own errors what it distinguishes, and notes for
// the HTTP answer what it does not. It is nil for a nil err.
func (d *Driver) fail(ctx context.Context, p string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, driver.NotFound):
		return storagedriver.PathNotFoundError{Path: p, DriverName: Name}
	}
	return recordError(ctx, fmt.Errorf("%s: %w", Name, err))
}
