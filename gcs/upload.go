package gcs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"google.golang.org/api/storage/v1"

	"github.com/blobdock/blobdock/driver"
)

// CreateUpload stores the upload's marker. An upload lives as long as that does.
func (b *Bucket) CreateUpload(ctx context.Context, key string, o driver.WriteOptions) (driver.Upload, error) {
	err := b.checkUploadKey(key)
	if err == nil {
		err = o.CheckUpload()
	}
	if err != nil {
		return driver.Upload{}, driver.Fail(driver.OpCreateUpload, key, err)
	}
	now := time.Now()
	marked := o.ContentType != "" && o.ContentType != plainType || len(o.Metadata) > 0
	u := driver.Upload{Key: key, ID: newID(now, marked), Started: now.UTC().Truncate(time.Millisecond)}
	empty := io.NewSectionReader(strings.NewReader(""), 0, 0)
	marker := b.fresh(b.folder(u)+markerName, o)
	marker.Crc32c = encodeCRC(0)
	if _, err := b.send(ctx, driver.OpCreateUpload, key, marker, empty, driver.Cond{}, new(int64)); err != nil {
		return driver.Upload{}, err
	}
	return u, nil
}

// PutPart stores part n, and then looks whether the upload still lives: the
// store can't make one depend on the other. A part that came too late is taken
// away again, so that with AbortUpload, which removes the marker first, one of
// the two finds every part.
func (b *Bucket) PutPart(ctx context.Context, u driver.Upload, n int, body *io.SectionReader) (driver.Part, error) {
	err := b.checkUpload(ctx, u)
	var crc string
	if err == nil {
		err = limits.CheckPart(n, body.Size())
	}
	if err == nil {
		crc, err = crc32c(body, nil)
	}
	if err == nil {
		err = alive(u)
	}
	if err != nil {
		return driver.Part{}, driver.Fail(driver.OpPutPart, u.Key, err)
	}
	obj := b.fresh(b.partName(u, n), driver.WriteOptions{})
	obj.Crc32c = crc
	stored, err := b.send(ctx, driver.OpPutPart, u.Key, obj, body, driver.Cond{}, nil)
	if err != nil {
		return driver.Part{}, err
	}
	_, err = b.get(ctx, driver.OpPutPart, u.Key, b.folder(u)+markerName)
	if errors.Is(err, driver.NotFound) {
		tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
		defer cancel()
		_ = b.remove(tidy, driver.OpPutPart, u.Key, obj.Name, stored.Generation) // else the sweeper finds it
		return driver.Part{}, err
	}
	// Another failure to look is none of the part's: completion looks once more.
	return driver.Part{Number: n, Size: body.Size(), ETag: partTag(n, stored.Generation)}, nil
}

// tidyTimeout bounds what is tidied up after the caller's context has ended.
const tidyTimeout = 30 * time.Second

// partTag names one version of part n.
func partTag(n int, generation int64) string { return fmt.Sprintf("%d.%d", n, generation) }

// partGeneration reads the tag of p, which must be one of p's number.
func partGeneration(p driver.Part) (int64, bool) {
	n, g, ok := strings.Cut(p.ETag, ".")
	gen, ok2 := generation(g)
	return gen, ok && ok2 && n == strconv.Itoa(p.Number)
}

// checkUpload looks at what does not depend on the upload's being there.
func (b *Bucket) checkUpload(ctx context.Context, u driver.Upload) error {
	if err := b.checkKey(u.Key); err != nil {
		return err
	}
	if u.ID == "" {
		return fmt.Errorf("upload has no id: %w", driver.Invalid)
	}
	return ctx.Err()
}

// alive refuses ids that no upload ever had.
func alive(u driver.Upload) error {
	if _, _, ok := parseID(u.ID); !ok {
		return fmt.Errorf("no upload has the id %q: %w", u.ID, driver.NotFound)
	}
	return nil
}

// AbortUpload drops the upload and its parts: the marker first, so that no part
// can join it, then all that a listing shows.
func (b *Bucket) AbortUpload(ctx context.Context, u driver.Upload) error {
	if err := b.checkUpload(ctx, u); err != nil {
		return driver.Fail(driver.OpAbortUpload, u.Key, err)
	}
	if _, _, ok := parseID(u.ID); !ok {
		return nil // no upload ever had that id
	}
	err := b.remove(ctx, driver.OpAbortUpload, u.Key, b.folder(u)+markerName, 0)
	if err = b.absent(ctx, err); err != nil && !errors.Is(err, driver.NotFound) {
		return err
	}
	left, err := b.pieces(ctx, driver.OpAbortUpload, u)
	if err != nil {
		return err
	}
	names := make([]string, 0, len(left))
	for _, o := range left {
		names = append(names, o.Name)
	}
	return b.removeAll(ctx, driver.OpAbortUpload, u.Key, names)
}

// pieces lists all that there is of u.
func (b *Bucket) pieces(ctx context.Context, op driver.Op, u driver.Upload) ([]*storage.Object, error) {
	var all []*storage.Object
	for token := ""; ; {
		page, err := b.list(ctx, op, u.Key, b.service.List(b.name).Prefix(b.folder(u)).
			MaxResults(driver.MaxPage).PageToken(token).Projection("noAcl").Fields("nextPageToken,items(name,generation)"))
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if token = page.NextPageToken; token == "" {
			return all, nil
		}
	}
}

// UploadsPage lists all uploads of which there is anything, be it a part that no
// completion named.
func (b *Bucket) UploadsPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Upload], error) {
	if err := q.CheckUploads(); err != nil {
		return driver.Page[driver.Upload]{}, driver.Fail(driver.OpListUploads, q.Prefix, err)
	}
	base := b.prefix.Full(partsDir)
	r := b.service.List(b.name).Prefix(base + escape(q.Prefix)).Delimiter("/").
		MaxResults(int64(q.PageSize())).PageToken(q.Token).Projection("noAcl").Fields("nextPageToken,prefixes")
	if q.StartAfter != "" {
		r.StartOffset(base + escape(q.StartAfter) + string(afterEnd))
	}
	got, err := b.list(ctx, driver.OpListUploads, q.Prefix, r)
	if err != nil {
		return driver.Page[driver.Upload]{}, err
	}
	page := driver.Page[driver.Upload]{Next: got.NextPageToken}
	for _, p := range got.Prefixes {
		if u, ok := uploadOf(strings.TrimPrefix(p, base)); ok {
			page.Items = append(page.Items, u)
		}
	}
	return page, nil
}
