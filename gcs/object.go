package gcs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/api/storage/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// Stat describes the object at key.
//
// A 404 of the JSON API means a missing object or a missing bucket. Until the
// store has shown once that the bucket is there, one costs a second request that
// lists a single object; a bucket that goes away later reads as empty.
func (b *Bucket) Stat(ctx context.Context, key string) (driver.Object, error) {
	obj, err := b.statChecksums(ctx, key)
	obj.Checksums = driver.Checksums{}
	return obj, err
}

// statChecksums is Stat with the object's CRC-32C, which each reply has.
func (b *Bucket) statChecksums(ctx context.Context, key string) (driver.Object, error) {
	if err := b.checkKey(key); err != nil {
		return driver.Object{}, driver.NewError(driver.OpStat, key, err)
	}
	got, err := b.get(ctx, driver.OpStat, key, b.full(key))
	if err != nil {
		return driver.Object{}, b.absent(ctx, err)
	}
	obj := b.object(key, got)
	obj.Checksums.CRC32C = decodeCRC(got.Crc32c)
	return obj, nil
}

// get asks for the metadata of the object that the store knows as name.
func (b *Bucket) get(ctx context.Context, op driver.Op, key, name string) (*storage.Object, error) {
	ctx, c := begin(ctx, op, key, driver.Cond{})
	r := b.service.Get(b.name, name).Projection("noAcl").Context(ctx)
	if b.config.UserProject != "" {
		r.UserProject(b.config.UserProject)
	}
	got, err := r.Do()
	if err != nil {
		return nil, c.fail(ctx, err)
	}
	b.seen.Store(true)
	return got, nil
}

// absent is err, or NoBucket when err is NotFound and the bucket is what is
// missing.
func (b *Bucket) absent(ctx context.Context, err error) error {
	var e *driver.Error
	if !errors.As(err, &e) || e.Kind != driver.NotFound || b.seen.Load() {
		return err
	}
	asked, c := begin(ctx, e.Op, e.Key, driver.Cond{})
	// Whoever may use the objects need not be allowed to see the bucket itself.
	r := b.service.List(b.name).MaxResults(1).Fields("nextPageToken").Context(asked)
	if b.config.UserProject != "" {
		r.UserProject(b.config.UserProject)
	}
	if _, listErr := r.Do(); listErr != nil {
		listErr = c.fail(asked, listErr)
		switch {
		case errors.Is(listErr, driver.NotFound):
			return b.noBucket(e)
		case driver.IsContextError(listErr), driver.KindOf(listErr).Temporary():
			return listErr // not known to be absent
		}
		// To be refused is an answer too: the bucket is there.
	}
	b.seen.Store(true)
	return err
}

// noBucket is e for what the lack of a bucket alone can be the reason of.
func (b *Bucket) noBucket(e *driver.Error) error {
	e.Kind = driver.NoBucket
	e.Err = fmt.Errorf("bucket %s: %w", b.name, e.Err)
	return e
}

// Put stores body at key.
func (b *Bucket) Put(ctx context.Context, key string, body *io.SectionReader, o driver.WriteOptions) (driver.Object, error) {
	match, crc, err := b.checkPut(key, body, o)
	if err != nil {
		return driver.Object{}, driver.NewError(driver.OpPut, key, err)
	}
	obj := b.fresh(b.full(key), o)
	obj.Crc32c = crc
	stored, err := b.sendSigned(ctx, key, obj, body, match, o.Cond)
	var e *driver.Error
	if errors.As(err, &e) && e.Kind == driver.NotFound {
		err = b.noBucket(e)
	}
	if err != nil {
		return driver.Object{}, err
	}
	return b.object(key, stored), nil
}

// sendSigned is send, repeated when the request is refused for its token: once with
// credentials that are looked for anew, and again when their file was replaced meanwhile.
func (b *Bucket) sendSigned(ctx context.Context, key string, obj *storage.Object, body *io.SectionReader, match *int64, cond driver.Cond) (*storage.Object, error) {
	for n := 0; ; n++ {
		before := b.identity.version()
		stored, err := b.send(ctx, key, obj, body, match, cond)
		var e *driver.Error
		if !errors.As(err, &e) || e.Status != http.StatusUnauthorized || !b.identity.again(n, before) {
			return stored, err
		}
	}
}

// send makes one request for an object.
func (b *Bucket) send(ctx context.Context, key string, obj *storage.Object, body *io.SectionReader, match *int64, cond driver.Cond) (*storage.Object, error) {
	ctx, c := begin(ctx, driver.OpPut, key, cond)
	up := cloud.NewRequestBody(body)
	defer up.Release()
	stored, err := b.insert(ctx, obj, up, body.Size(), match)
	if err != nil {
		return nil, c.failBody(ctx, up, err)
	}
	b.seen.Store(true)
	if stored.Generation == 0 {
		return nil, c.Incomplete("generation")
	}
	return stored, nil
}

func (b *Bucket) checkPut(key string, body *io.SectionReader, o driver.WriteOptions) (match *int64, crc string, err error) {
	if err := b.checkKey(key); err != nil {
		return nil, "", err
	}
	if err := o.Check(); err != nil {
		return nil, "", err
	}
	if err := limits.CheckPut(body.Size()); err != nil {
		return nil, "", err
	}
	if match, err = matchOf(o.Cond); err != nil {
		return nil, "", err
	}
	crc, err = bodyCRC(body, o.SHA256)
	return match, crc, err
}

// matchOf is the value of ifGenerationMatch for c, nil for none. Generation 0 is
// that of no object.
// https://cloud.google.com/storage/docs/request-preconditions
func matchOf(c driver.Cond) (*int64, error) {
	switch {
	case c.IfAbsent:
		return new(int64), nil
	case c.IfMatch == "":
		return nil, nil
	}
	g, ok := generation(c.IfMatch)
	if !ok {
		return nil, fmt.Errorf("%q is no generation, so nothing has it: %w", c.IfMatch, driver.Mismatch)
	}
	return &g, nil
}

// generation reads an ETag.
func generation(etag string) (int64, bool) {
	g, err := strconv.ParseInt(etag, 10, 64)
	return g, err == nil && g > 0
}

// fresh is what a new object is to be. All that creates one is filled here, so
// that no blob lacks the storage class, and no piece of one: compose takes sources of the
// destination's class alone.
func (b *Bucket) fresh(name string, o driver.WriteOptions) *storage.Object {
	class := b.config.StorageClass
	if o.Use == driver.UseOther {
		class = ""
	}
	return &storage.Object{
		Name:         name,
		ContentType:  cmp.Or(o.ContentType, plainType),
		Metadata:     maps.Clone(o.Metadata),
		StorageClass: class,
	}
}

// object is o as the contract describes it.
func (b *Bucket) object(key string, o *storage.Object) driver.Object {
	at, _ := time.Parse(time.RFC3339, o.Updated)
	g := strconv.FormatInt(o.Generation, 10)
	return driver.Object{
		Key: key, Size: int64(o.Size), ETag: g, Version: g, ModTime: at,
		ContentType: o.ContentType, ContentEncoding: o.ContentEncoding, Metadata: cloud.Metadata(o.Metadata),
	}
}
