// Package mem keeps objects in memory. It offers every verb and every feature of
// the contract but signed URLs, and is the model that other drivers are checked
// against. Use it for tests and for caches that may be lost.
//
// Options take features away and add the rules of other stores; Imitations has the
// options for the stores that blobdock knows.
package mem

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// Limits of S3, https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html,
// which are the defaults here.
const (
	mib       = 1 << 20
	gib       = 1 << 30
	minPart   = 5 * mib
	maxPart   = 5 * gib
	maxParts  = 10_000
	maxObject = maxPart * maxParts
	maxPut    = 5 * gib
	maxBatch  = 1000
)

// Bucket is a bucket in memory.
type Bucket struct {
	prefix  string // of all keys; empty or ends in "/"
	options Options
	limits  driver.PartLimits
	store   *store
}

// store is what buckets of the same name share.
type store struct {
	options Options
	mu      sync.Mutex // never held while a body is read
	objects map[string]object
	keys    []string // of objects, in order
	uploads map[string]*upload
	version int                  // of the latest object or part
	written map[string]time.Time // when each key was written last, with KeyInterval
}

// object is one version of an object. Its data and metadata never change.
type object struct {
	driver.Object
	data   content
	sha256 []byte // that it was put with
}

type upload struct {
	driver.Upload
	options driver.WriteOptions
	parts   map[int]part
}

type part struct {
	driver.Part
	data content
}

// New makes an empty bucket with S3's limits.
func New() *Bucket { return NewWith(Options{}) }

// NewWith makes an empty bucket.
func NewWith(o Options) *Bucket {
	return &Bucket{options: o, limits: limits(o.Parts), store: newStore(o)}
}

func newStore(o Options) *store {
	return &store{options: o, objects: map[string]object{}, uploads: map[string]*upload{}, written: map[string]time.Time{}}
}

func limits(l driver.PartLimits) driver.PartLimits {
	if l == (driver.PartLimits{}) {
		l.MinSize = minPart
	}
	or := func(v *int64, def int64) {
		if *v == 0 {
			*v = def
		}
	}
	or(&l.MaxSize, maxPart)
	or(&l.MaxObject, maxObject)
	or(&l.MaxPut, maxPut)
	if l.MaxParts == 0 {
		l.MaxParts = maxParts
	}
	return l
}

// Features are all there are but Sign, less what the options take away.
func (b *Bucket) Features() driver.Features {
	all := driver.AllConds
	f := driver.Features{
		Name:     "mem",
		Parts:    b.limits,
		Metadata: true,
		Conds: driver.Conds{
			Put: all, Complete: all, Copy: all, Concat: all,
			Delete: driver.CondIfMatch, DeleteNotAfter: true, DeleteBatch: true,
		},
		Uploads:     b,
		CopyPart:    b.copyPart,
		Copy:        b.copyObject,
		Concat:      b.concat,
		DeleteBatch: b.deleteBatch,
		BatchMax:    maxBatch,

		StatChecksums: b.statChecksums,
	}
	b.options.restrict(&f)
	return f
}

// Close does nothing: a bucket that was opened by name can be opened again.
func (b *Bucket) Close() error { return nil }

// full checks key and puts the bucket's prefix in front of it.
func (b *Bucket) full(ctx context.Context, key string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if err := driver.CheckKey(key); err != nil {
		return "", err
	}
	key = b.prefix + key
	return key, driver.CheckKey(key)
}

// out is o as the caller may keep and change it.
func (b *Bucket) out(o driver.Object) driver.Object {
	o.Key = strings.TrimPrefix(o.Key, b.prefix)
	o.Metadata = maps.Clone(o.Metadata)
	return o
}

// name is the ETag of data, which is new, and the number that makes its version.
// The caller holds mu.
func (s *store) name(data content) (etag, version string) {
	if s.options.Unversioned {
		return data.etag(), ""
	}
	s.version++
	return fmt.Sprintf("\"v%d\"", s.version), strconv.Itoa(s.version)
}

// check reports whether key may be written under c now. The caller holds mu.
func (s *store) check(key string, c driver.Cond) error {
	if err := s.checkInterval(key); err != nil {
		return err
	}
	cur, there := s.objects[key]
	switch {
	case c.IfAbsent && there:
		return driver.Exists
	case c.IfMatch != "" && !there:
		return fmt.Errorf("want ETag %s, there is no object: %w", c.IfMatch, driver.Mismatch)
	case c.IfMatch != "" && cur.ETag != c.IfMatch:
		return fmt.Errorf("want ETag %s, have %s: %w", c.IfMatch, cur.ETag, driver.Mismatch)
	}
	return nil
}

// set makes data the object at key. The caller holds mu.
func (s *store) set(key string, data content, o driver.WriteOptions) driver.Object {
	etag, version := s.name(data)
	obj := driver.Object{
		Key:         key,
		Size:        data.size,
		ETag:        etag,
		Version:     version,
		ModTime:     time.Now().UTC(),
		ContentType: o.ContentType,
		Metadata:    maps.Clone(o.Metadata),
	}
	if i, found := slices.BinarySearch(s.keys, key); !found {
		s.keys = slices.Insert(s.keys, i, key)
	}
	s.objects[key] = object{Object: obj, data: data}
	s.wrote(key)
	return obj
}

// remove deletes the object at key, if there is one. The caller holds mu.
func (s *store) remove(key string) {
	if i, found := slices.BinarySearch(s.keys, key); found {
		s.keys = slices.Delete(s.keys, i, i+1)
		delete(s.objects, key)
	}
}

// wrote notes that key has changed. The caller holds mu.
func (s *store) wrote(key string) {
	if s.options.KeyInterval > 0 {
		s.written[key] = time.Now()
	}
	if s.options.WriteDropsUploads {
		maps.DeleteFunc(s.uploads, func(_ string, up *upload) bool { return up.Key == key })
	}
}

// checkInterval refuses a write that comes too soon after the one before. The
// caller holds mu.
func (s *store) checkInterval(key string) error {
	last, ok := s.written[key]
	if every := s.options.KeyInterval; ok && time.Since(last) < every {
		return &tooSoon{every}
	}
	return nil
}

// tooSoon refuses the second write to a key within an interval.
type tooSoon struct{ every time.Duration }

func (e *tooSoon) Error() string { return fmt.Sprintf("a key may be written once in %v", e.every) }
func (e *tooSoon) Unwrap() error { return driver.Throttled }

// fail is driver.NewError for this store's own errors.
func fail(op driver.Op, key string, err error) error {
	e := driver.NewError(op, key, err)
	var soon *tooSoon
	if errors.As(err, &soon) {
		e.KeyOnly, e.RetryAfter = true, soon.every
	}
	return e
}

// source is the object that a server-side copy reads. The caller holds mu.
func (s *store) source(want driver.Source, key string) (object, error) {
	src, there := s.objects[key]
	switch {
	case !there:
		return object{}, fmt.Errorf("source %q: %w", want.Key, driver.NotFound)
	case want.ETag != "" && src.ETag != want.ETag:
		return object{}, fmt.Errorf("source %q: want ETag %s, have %s: %w", want.Key, want.ETag, src.ETag, driver.Mismatch)
	case want.Size != 0 && src.Size != want.Size:
		return object{}, fmt.Errorf("source %q: want %d bytes, have %d: %w", want.Key, want.Size, src.Size, driver.Mismatch)
	}
	return src, nil
}
