package probe

import (
	"context"
	"errors"
	"fmt"

	"github.com/blobdock/blobdock/driver"
)

// PartCopy tries whether the store fills a part of an upload with an object of its own, and
// returns how it fails: missing is nil where the store does, or is not asked to.
// err, such as that writing is denied, says nothing about part copies.
//
// It makes five requests below Folder, and removes what they leave.
func PartCopy(ctx context.Context, b driver.Bucket) (missing, err error) {
	p := newRun(b)
	defer p.tidy(ctx)
	if p.features.CopyPart == nil {
		return nil, nil
	}
	missing = p.copyPart(ctx)
	if inconclusive(missing) {
		return nil, missing
	}
	return missing, nil
}

// copyPart fills a part with an object.
func (p *run) copyPart(ctx context.Context) error {
	obj, err := p.put(ctx, p.key("part"), content, driver.WriteOptions{})
	if err != nil {
		return &setupError{err}
	}
	key := p.key("_uploads/copied")
	p.mark(key)
	u, err := p.features.Uploads.CreateUpload(ctx, key, driver.WriteOptions{})
	if err != nil {
		return &setupError{err}
	}
	size := int64(len(content))
	src := driver.Source{Key: obj.Key, ETag: obj.ETag, Size: size, Range: driver.Range{Len: size}}
	_, err = p.features.CopyPart(ctx, u, 1, src)
	aborted := p.features.Uploads.AbortUpload(context.WithoutCancel(ctx), u)
	if err == nil && aborted != nil {
		return &setupError{aborted}
	}
	return err
}

// partCopies is the check of copyPart.
func partCopies(ctx context.Context, p *run) (string, error) {
	err := p.copyPart(ctx)
	var setup *setupError
	if err == nil || errors.As(err, &setup) || inconclusive(err) {
		return "", err
	}
	return "set part_copy=false, which serve does by itself", fmt.Errorf("the store copies no parts: %w", err)
}
