// Package mem keeps objects in memory. It offers every verb and every feature of
// the contract but signed URLs, and is the model that other drivers are checked
// against. Use it for tests and for caches that may be lost.
package mem

import (
	"context"
	"fmt"
	"maps"
	"slices"
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

// Options tune a bucket. The zero value behaves like S3.
type Options struct {
	// Parts replaces the limits on parts; fields that are 0 keep S3's, except
	// MinSize, which is meant when any other field is set.
	Parts driver.PartLimits
}

// Bucket is a bucket in memory.
type Bucket struct {
	prefix string // of all keys; empty or ends in "/"
	limits driver.PartLimits
	store  *store
}

// store is what buckets of the same name share.
type store struct {
	mu      sync.Mutex // never held while a body is read
	objects map[string]object
	keys    []string // of objects, in order
	uploads map[string]*upload
	version int // of the latest object or part
}

// object is one version of an object. Its data and metadata never change.
type object struct {
	driver.Object
	data content
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
func NewWith(o Options) *Bucket { return &Bucket{limits: limits(o.Parts), store: newStore()} }

func newStore() *store {
	return &store{objects: map[string]object{}, uploads: map[string]*upload{}}
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

// Features are all there are but Sign.
func (b *Bucket) Features() driver.Features {
	all := driver.AllConds
	return driver.Features{
		Name:        "mem",
		Parts:       b.limits,
		Metadata:    true,
		Conds:       driver.Conds{Put: all, Complete: all, Copy: all, Retarget: all, Rename: all},
		Copy:        b.copyObject,
		CopyPart:    b.copyPart,
		Retarget:    b.retarget,
		Rename:      b.rename,
		DeleteBatch: b.deleteBatch,
		BatchMax:    maxBatch,
	}
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

// tag is a new ETag. The caller holds mu.
func (s *store) tag() string {
	s.version++
	return fmt.Sprintf("\"v%d\"", s.version)
}

// check reports whether c holds at key. The caller holds mu.
func (s *store) check(key string, c driver.Cond) error {
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
	obj := driver.Object{
		Key:         key,
		Size:        data.size,
		ETag:        s.tag(),
		ModTime:     time.Now().UTC(),
		ContentType: o.ContentType,
		Metadata:    maps.Clone(o.Metadata),
	}
	if i, found := slices.BinarySearch(s.keys, key); !found {
		s.keys = slices.Insert(s.keys, i, key)
	}
	s.objects[key] = object{Object: obj, data: data}
	return obj
}

// remove deletes the object at key, if there is one. The caller holds mu.
func (s *store) remove(key string) {
	if i, found := slices.BinarySearch(s.keys, key); found {
		s.keys = slices.Delete(s.keys, i, i+1)
		delete(s.objects, key)
	}
}

// source is the object that a server-side copy reads. The caller holds mu.
func (s *store) source(key, etag string) (object, error) {
	src, there := s.objects[key]
	switch {
	case !there:
		return object{}, fmt.Errorf("source %q: %w", key, driver.NotFound)
	case etag != "" && src.ETag != etag:
		return object{}, fmt.Errorf("source %q: want ETag %s, have %s: %w", key, etag, src.ETag, driver.Mismatch)
	}
	return src, nil
}
