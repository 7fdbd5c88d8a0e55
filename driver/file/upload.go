package file

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/internal/body"
	"github.com/blobdock/blobdock/driver/internal/listing"
)

// header is the file that makes a folder below uploadDir an upload. Parts lie
// beside it, each in a file named after its number, so that any process with the
// same root can go on with it.
const header = "upload.json"

type headerFile struct {
	Key     string    `json:"key"`
	Started time.Time `json:"started"`
}

// CreateUpload begins an upload in parts.
func (b *Bucket) CreateUpload(ctx context.Context, key string, o driver.WriteOptions) (driver.Upload, error) {
	u, err := b.create(ctx, key, o)
	if err != nil {
		return driver.Upload{}, fail(driver.OpCreateUpload, key, err)
	}
	return u, nil
}

func (b *Bucket) create(ctx context.Context, key string, o driver.WriteOptions) (driver.Upload, error) {
	r, err := b.begin(ctx, key)
	if err = cmp.Or(err, o.CheckUpload()); err != nil {
		return driver.Upload{}, err
	}
	u := driver.Upload{Key: key, ID: rand.Text(), Started: time.Now().UTC()}
	text, err := json.Marshal(headerFile{Key: u.Key, Started: u.Started})
	if err != nil {
		return driver.Upload{}, err
	}
	dir := uploadDir + "/" + u.ID
	if err := r.MkdirAll(dir, 0o777); err != nil {
		return driver.Upload{}, err
	}
	name, err := b.write(r, func(w io.Writer) error { _, err := w.Write(text); return err })
	if err == nil {
		err = r.Rename(name, dir+"/"+header)
	}
	if err == nil {
		err = b.syncFolders(r, dir+"/"+header, true)
	}
	if err != nil {
		_ = r.RemoveAll(dir)
		return driver.Upload{}, err
	}
	return u, nil
}

// upload finds an upload and gives its folder.
func (r *root) upload(u driver.Upload) (dir string, err error) {
	h, err := r.header(u.ID)
	if err != nil && !isAbsent(err) {
		return "", err
	}
	if err != nil || h.Key != u.Key {
		return "", fmt.Errorf("upload %q: %w", u.ID, driver.NotFound)
	}
	return uploadDir + "/" + u.ID, nil
}

func (r *root) header(id string) (h headerFile, err error) {
	if id == "" || strings.ContainsAny(id, "/\x00") || id[0] == '.' {
		return h, driver.NotFound // none of ours
	}
	text, err := r.ReadFile(uploadDir + "/" + id + "/" + header)
	if err != nil {
		return h, err
	}
	return h, json.Unmarshal(text, &h)
}

func partFile(dir string, n int) string { return dir + "/" + strconv.Itoa(n) }

// PutPart stores a part of an upload.
func (b *Bucket) PutPart(ctx context.Context, u driver.Upload, n int, content *io.SectionReader) (driver.Part, error) {
	p, err := b.putPart(ctx, u, n, content.Size(), func(w io.Writer, _ *root) error { return body.Copy(ctx, w, content, nil) })
	if err != nil {
		return driver.Part{}, fail(driver.OpPutPart, u.Key, err)
	}
	return p, nil
}

func (b *Bucket) putPart(ctx context.Context, u driver.Upload, n int, size int64, fill func(io.Writer, *root) error) (driver.Part, error) {
	r, err := b.begin(ctx, u.Key)
	if err = cmp.Or(err, limits.CheckPart(n, size)); err != nil {
		return driver.Part{}, err
	}
	dir, err := r.upload(u)
	if err != nil {
		return driver.Part{}, err
	}
	name, err := b.write(r, func(w io.Writer) error { return fill(w, r) })
	if err != nil {
		return driver.Part{}, fmt.Errorf("part %d: %w", n, err)
	}
	info, err := r.Lstat(name)
	if err == nil {
		err = r.Rename(name, partFile(dir, n)) // fails when the upload has gone
	}
	if err != nil {
		r.drop(name)
		return driver.Part{}, fmt.Errorf("part %d: %w", n, err)
	}
	if err := b.syncFolders(r, partFile(dir, n), false); err != nil {
		return driver.Part{}, &done{err}
	}
	return driver.Part{Number: n, Size: info.Size(), ETag: etag(info)}, nil
}

func (b *Bucket) copyPart(ctx context.Context, u driver.Upload, n int, s driver.Source) (driver.Part, error) {
	p, err := b.fillPart(ctx, u, n, s)
	if err != nil {
		return driver.Part{}, fail(driver.OpCopyPart, u.Key, err)
	}
	return p, nil
}

func (b *Bucket) fillPart(ctx context.Context, u driver.Upload, n int, s driver.Source) (driver.Part, error) {
	r, err := b.begin(ctx, s.Key, u.Key)
	if err = cmp.Or(err, limits.CheckPart(n, 0)); err != nil {
		return driver.Part{}, err
	}
	src, info, err := r.openVersion(s.Key, s.ETag)
	if err != nil {
		return driver.Part{}, fmt.Errorf("source %q: %w", s.Key, err)
	}
	defer func() { _ = src.Close() }()
	if s.Size != 0 && s.Size != info.Size() {
		return driver.Part{}, fmt.Errorf("source %q: want %d bytes, have %d: %w", s.Key, s.Size, info.Size(), driver.Mismatch)
	}
	if err := s.Range.Within(info.Size()); err != nil {
		return driver.Part{}, fmt.Errorf("source %q: %w", s.Key, err)
	}
	return b.putPart(ctx, u, n, s.Range.Len, func(w io.Writer, _ *root) error {
		return copyRange(ctx, w, src, s.Range.Off, s.Range.Len)
	})
}

// CompleteUpload makes the named parts an object. When it fails, the upload stays.
func (b *Bucket) CompleteUpload(ctx context.Context, u driver.Upload, parts []driver.Part, c driver.Cond) (driver.Object, error) {
	obj, err := b.complete(ctx, u, parts, u.Key, c)
	if err != nil {
		return driver.Object{}, fail(driver.OpCompleteUpload, u.Key, err)
	}
	return obj, nil
}

func (b *Bucket) retarget(ctx context.Context, u driver.Upload, parts []driver.Part, key string, c driver.Cond) (driver.Object, error) {
	obj, err := b.complete(ctx, u, parts, key, c)
	if err != nil {
		return driver.Object{}, fail(driver.OpRetarget, key, err)
	}
	return obj, nil
}

func (b *Bucket) complete(ctx context.Context, u driver.Upload, parts []driver.Part, key string, c driver.Cond) (driver.Object, error) {
	r, err := b.begin(ctx, u.Key, key)
	if err = cmp.Or(err, c.Check()); err != nil {
		return driver.Object{}, err
	}
	unlock, err := b.lockUpload(ctx, r, u.ID)
	if err != nil {
		return driver.Object{}, err
	}
	defer unlock()
	dir, err := r.upload(u)
	if err != nil {
		return driver.Object{}, err
	}
	if err := cmp.Or(r.checkParts(dir, parts), r.holds(key, c)); err != nil {
		return driver.Object{}, err
	}
	name, err := b.assemble(ctx, r, dir, parts)
	if err != nil {
		return driver.Object{}, err
	}
	obj, err := b.publish(ctx, r, name, key, c)
	if err != nil {
		r.drop(name)
		return driver.Object{}, err
	}
	// The object is there. A folder that can't be removed is found by the sweeper.
	r.dropUpload(dir)
	return obj, nil
}

// checkParts compares what the caller names with what there is.
func (r *root) checkParts(dir string, parts []driver.Part) error {
	have := make([]driver.Part, len(parts))
	for i, p := range parts {
		info, err := r.find(partFile(dir, p.Number))
		if isAbsent(err) {
			return fmt.Errorf("part %d is not there: %w", p.Number, driver.Mismatch)
		}
		if err == nil {
			err = matches(info, cmp.Or(p.ETag, "none"))
		}
		if err != nil {
			return fmt.Errorf("part %d: %w", p.Number, err)
		}
		have[i] = driver.Part{Number: p.Number, Size: info.Size()}
	}
	return limits.CheckComplete(have)
}

// assemble makes one temporary file of the parts. A single part is not copied but
// gets a second name.
func (b *Bucket) assemble(ctx context.Context, r *root, dir string, parts []driver.Part) (name string, err error) {
	if len(parts) == 1 {
		if name, err := r.linkPart(dir, parts[0]); err == nil || errors.Is(err, driver.Mismatch) {
			return name, err
		} // else there are no hard links here
	}
	return b.write(r, func(w io.Writer) error {
		for _, p := range parts {
			if err := r.appendPart(ctx, w, partFile(dir, p.Number), p.ETag); err != nil {
				return fmt.Errorf("part %d: %w", p.Number, err)
			}
		}
		return nil
	})
}

// linkPart gives a part a name that no later PutPart can take away.
func (r *root) linkPart(dir string, p driver.Part) (name string, err error) {
	name = tempDir + "/" + rand.Text()
	if err := r.Link(partFile(dir, p.Number), name); err != nil {
		return "", err
	}
	info, err := r.find(name)
	if err == nil {
		err = matches(info, p.ETag)
	}
	if err != nil {
		r.drop(name)
		return "", fmt.Errorf("part %d: %w", p.Number, err)
	}
	return name, nil
}

func (r *root) appendPart(ctx context.Context, w io.Writer, name, etag string) error {
	f, info, err := r.openVersion(name, etag)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return copyRange(ctx, w, f, 0, info.Size())
}

// AbortUpload drops an upload and its parts.
func (b *Bucket) AbortUpload(ctx context.Context, u driver.Upload) error {
	return fail(driver.OpAbortUpload, u.Key, b.abort(ctx, u))
}

func (b *Bucket) abort(ctx context.Context, u driver.Upload) error {
	r, err := b.begin(ctx, u.Key)
	if err != nil {
		return err
	}
	unlock, err := b.lockUpload(ctx, r, u.ID)
	if err != nil {
		return err
	}
	defer unlock()
	dir, err := r.upload(u)
	if errors.Is(err, driver.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	r.dropUpload(dir)
	return nil
}

// dropUpload makes an upload vanish at once, and its files soon.
func (r *root) dropUpload(dir string) {
	gone := tempDir + "/" + path.Base(dir)
	if r.Rename(dir, gone) != nil {
		gone = dir
	}
	_ = r.RemoveAll(gone)
}

// UploadsPage lists uploads by key, then by id.
func (b *Bucket) UploadsPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Upload], error) {
	p, err := b.uploadsPage(ctx, q)
	if err != nil {
		return driver.Page[driver.Upload]{}, fail(driver.OpListUploads, q.Prefix, err)
	}
	return p, nil
}

func (b *Bucket) uploadsPage(ctx context.Context, q driver.ListRequest) (page driver.Page[driver.Upload], err error) {
	r, err := b.begin(ctx)
	if err = cmp.Or(err, q.CheckUploads()); err != nil {
		return page, err
	}
	from, err := listing.FromUpload(q)
	if err != nil {
		return page, err
	}
	entries, err := fs.ReadDir(r.FS(), uploadDir)
	if err != nil && !isAbsent(err) {
		return page, err
	}
	var all []driver.Upload
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return page, err
		}
		h, err := r.header(e.Name())
		if err != nil || !strings.HasPrefix(h.Key, q.Prefix) || listing.Upload(h.Key, e.Name()) < from {
			continue // one that is just beginning or ending has no header
		}
		all = append(all, driver.Upload{Key: h.Key, ID: e.Name(), Started: h.Started})
	}
	slices.SortFunc(all, func(x, y driver.Upload) int {
		return cmp.Or(cmp.Compare(x.Key, y.Key), cmp.Compare(x.ID, y.ID))
	})
	if n := q.PageSize(); len(all) > n {
		page.Next = listing.Token(listing.Upload(all[n].Key, all[n].ID))
		all = all[:n]
	}
	page.Items = all
	return page, nil
}
