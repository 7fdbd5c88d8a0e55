package verify

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// Removal is what became of a run's objects.
type Removal struct {
	Objects, Uploads int      // that were removed
	Left             []string // what is still there, and why
}

// removeTime bounds the removal, which begins when the run has ended.
const removeTime = 5 * time.Minute

// remove removes everything from b, and looks whether it is gone. begun are the keys of
// uploads that a listing may not show.
func remove(ctx context.Context, b driver.Bucket, begun []string) Removal {
	r := remover{bucket: b, begun: begun}
	r.uploads(ctx)
	r.objects(ctx)
	r.leftUploads(ctx)
	return r.Removal
}

type remover struct {
	Removal
	bucket driver.Bucket
	begun  []string
}

func (r *remover) left(key string, err error) {
	r.Left = append(r.Left, fmt.Sprintf("%s: %v", key, err))
}

// objects removes objects, again and again while there are any: an upload that is
// under way may become one.
func (r *remover) objects(ctx context.Context) {
	for range 3 {
		var keys []string
		for e, err := range driver.List(ctx, r.bucket, driver.ListRequest{}) {
			if err != nil {
				r.left("listing of objects", err)
				return
			}
			keys = append(keys, e.Key)
		}
		if len(keys) == 0 {
			return
		}
		if err := driver.DeleteAll(ctx, r.bucket, driver.Refs(keys...)); err == nil {
			r.Objects += len(keys)
			continue
		}
		// By one after the other, so that one that can't be removed keeps no others.
		failed := false
		for _, key := range keys {
			if err := r.bucket.Delete(ctx, key, driver.DeleteOptions{}); err != nil {
				r.left(key, err)
				failed = true
				continue
			}
			r.Objects++
		}
		if failed {
			return
		}
	}
	r.left("objects", fmt.Errorf("a listing still shows some"))
}

// pending lists the uploads that are under way: those below the whole place, and those at
// the keys at which uploads were begun.
func (r *remover) pending(ctx context.Context) []driver.Upload {
	seen := make(map[driver.Upload]bool)
	var all []driver.Upload
	for _, prefix := range append([]string{""}, r.begun...) {
		for u, err := range driver.ListUploads(ctx, r.bucket, driver.ListRequest{Prefix: prefix}) {
			if err != nil {
				r.left("listing of uploads", err)
				return all
			}
			u.Started = time.Time{}
			if !seen[u] && strings.HasPrefix(u.Key, prefix) {
				seen[u] = true
				all = append(all, u)
			}
		}
	}
	return all
}

// uploads aborts uploads. In Azure an abort leaves parts at most keys until something is
// written there.
func (r *remover) uploads(ctx context.Context) {
	for _, u := range r.pending(ctx) {
		if err := r.bucket.Features().Uploads.AbortUpload(ctx, u); err != nil {
			continue // leftUploads tells
		}
		r.Uploads++
	}
	for _, u := range r.pending(ctx) {
		if _, err := r.bucket.Put(ctx, u.Key, section(nil), driver.WriteOptions{}); err == nil {
			_ = r.bucket.Delete(ctx, u.Key, driver.DeleteOptions{}) // objects removes what stays
		}
	}
}

func (r *remover) leftUploads(ctx context.Context) {
	for _, u := range r.pending(ctx) {
		r.left(u.Key, fmt.Errorf("parts of an upload"))
	}
}
