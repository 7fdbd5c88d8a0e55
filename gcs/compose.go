package gcs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
	"google.golang.org/api/storage/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// fanIn is how many objects one request joins.
// https://cloud.google.com/storage/docs/composite-objects
const fanIn = 32

// CompleteUpload makes the named parts the object at u.Key. Up to 31 parts are one
// request; more are joined in groups of 32 first, the groups in parallel. A
// refusal costs one more request, which finds its reason.
func (b *Bucket) CompleteUpload(ctx context.Context, u driver.Upload, parts []driver.Part, cond driver.Cond) (driver.Object, error) {
	return b.complete(ctx, driver.OpCompleteUpload, u, parts, u.Key, cond)
}

// retarget is CompleteUpload at another key.
func (b *Bucket) retarget(ctx context.Context, u driver.Upload, parts []driver.Part, key string, cond driver.Cond) (driver.Object, error) {
	return b.complete(ctx, driver.OpRetarget, u, parts, key, cond)
}

// completion is one attempt to complete an upload.
type completion struct {
	*Bucket
	op    driver.Op
	u     driver.Upload
	key   string
	cond  driver.Cond
	named []driver.Part
	stray []string // what is left to remove once the object is there
}

func (b *Bucket) complete(ctx context.Context, op driver.Op, u driver.Upload, parts []driver.Part, key string, cond driver.Cond) (driver.Object, error) {
	j := &completion{Bucket: b, op: op, u: u, key: key, cond: cond, named: parts}
	sources, match, err := j.check(ctx)
	if err != nil {
		return driver.Object{}, driver.Fail(op, key, err)
	}
	dst, err := j.destination(ctx)
	if err != nil {
		return driver.Object{}, err
	}
	run := strings.ToLower(rand.Text()[:randDigits])
	for level := 1; len(sources) > fanIn-1; level++ {
		if sources, err = j.joinGroups(ctx, run, level, sources); err != nil {
			// Nothing has happened to the key yet.
			var e *driver.Error
			if errors.As(err, &e) {
				e.MayHave = false
			}
			return driver.Object{}, j.refused(ctx, err)
		}
	}
	// The marker has no bytes. As a source it makes the request fail when the
	// upload is gone, and goes with the parts when the object is there.
	sources = append(sources, &storage.ComposeRequestSourceObjects{Name: b.folder(u) + markerName})
	stored, err := j.compose(ctx, j.call(j.cond), dst, sources, match, true)
	if err != nil {
		return driver.Object{}, j.refused(ctx, err)
	}
	if len(j.stray) > 0 {
		tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
		defer cancel()
		_ = b.removeAll(tidy, op, u.Key, j.stray) // what stays, UploadsPage shows
	}
	return b.object(key, stored), nil
}

// call is one of the requests.
func (j *completion) call(c driver.Cond) *call {
	return &call{cloud.Call{Op: j.op, Key: j.key, Cond: c}}
}

// check looks at all that needs no request.
func (j *completion) check(ctx context.Context) ([]*storage.ComposeRequestSourceObjects, *int64, error) {
	if err := j.checkKey(j.key); err != nil {
		return nil, nil, err
	}
	if err := j.checkUpload(ctx, j.u); err != nil {
		return nil, nil, err
	}
	if err := limits.CheckComplete(j.named); err != nil {
		return nil, nil, err
	}
	if err := j.cond.Check(); err != nil {
		return nil, nil, err
	}
	if err := alive(j.u); err != nil {
		return nil, nil, err
	}
	sources := make([]*storage.ComposeRequestSourceObjects, len(j.named), len(j.named)+1)
	for i, p := range j.named {
		g, ok := partGeneration(p)
		if !ok {
			return nil, nil, fmt.Errorf("part %d has no version %q: %w", p.Number, p.ETag, driver.Mismatch)
		}
		sources[i] = &storage.ComposeRequestSourceObjects{
			Name:                j.partName(j.u, p.Number),
			Generation:          g,
			ObjectPreconditions: &storage.ComposeRequestSourceObjectsObjectPreconditions{IfGenerationMatch: g},
		}
	}
	match, err := matchOf(j.cond)
	return sources, match, err
}

// destination is what the object is to be. What CreateUpload was told beyond the
// default is in the marker, which costs a request.
func (j *completion) destination(ctx context.Context) (*storage.Object, error) {
	o := driver.WriteOptions{}
	if _, marked, _ := parseID(j.u.ID); marked {
		marker, err := j.get(ctx, j.op, j.key, j.folder(j.u)+markerName)
		if err != nil {
			return nil, j.absent(ctx, err)
		}
		o.ContentType, o.Metadata = marker.ContentType, marker.Metadata
	}
	return j.fresh(j.full(j.key), o), nil
}

// joins are requests for groups that are under way at the same time.
const joins = 8

// joinGroups joins each fanIn sources to one. The sources stay, so that a
// completion that fails can be tried again.
func (j *completion) joinGroups(ctx context.Context, run string, level int, sources []*storage.ComposeRequestSourceObjects) ([]*storage.ComposeRequestSourceObjects, error) {
	joined := make([]*storage.ComposeRequestSourceObjects, (len(sources)+fanIn-1)/fanIn)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(joins)
	for i := range joined {
		group := sources[i*fanIn : min((i+1)*fanIn, len(sources))]
		for _, s := range group {
			j.stray = append(j.stray, s.Name)
		}
		g.Go(func() error {
			dst := j.fresh(j.joinedName(j.u, run, level, i), driver.WriteOptions{})
			stored, err := j.compose(gctx, j.call(driver.Cond{}), dst, group, nil, false)
			if err != nil {
				return err
			}
			joined[i] = &storage.ComposeRequestSourceObjects{
				Name:                dst.Name,
				Generation:          stored.Generation,
				ObjectPreconditions: &storage.ComposeRequestSourceObjectsObjectPreconditions{IfGenerationMatch: stored.Generation},
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		if ctx.Err() != nil && !driver.Ended(err) {
			return nil, driver.Fail(j.op, j.key, ctx.Err())
		}
		return nil, err
	}
	return joined, nil
}

// compose makes dst of sources in one request. consume deletes the sources: deleted
// this way they cost no early-deletion fee and leave no soft-deleted copy.
// https://cloud.google.com/storage/docs/json_api/v1/objects/compose
func (b *Bucket) compose(ctx context.Context, c *call, dst *storage.Object, sources []*storage.ComposeRequestSourceObjects, match *int64, consume bool) (*storage.Object, error) {
	ctx = cloud.Begin(ctx, &c.Call)
	r := b.service.Compose(b.name, dst.Name, &storage.ComposeRequest{
		Destination: dst, SourceObjects: sources, DeleteSourceObjects: consume,
	}).Context(ctx)
	if match != nil {
		r.IfGenerationMatch(*match)
	}
	if b.config.KMSKey != "" {
		r.KmsKeyName(b.config.KMSKey)
	}
	if b.config.UserProject != "" {
		r.UserProject(b.config.UserProject)
	}
	stored, err := r.Do()
	if err != nil {
		return nil, c.fail(ctx, err)
	}
	b.seen.Store(true)
	if stored.Generation == 0 {
		return nil, c.Incomplete("generation")
	}
	return stored, nil
}

// refused finds out why a completion was refused: the same status stands for the
// upload, for a part and for the destination.
func (j *completion) refused(ctx context.Context, err error) error {
	var e *driver.Error
	if !errors.As(err, &e) || e.Kind != driver.NotFound && e.Kind != driver.Mismatch && e.Kind != driver.Exists {
		return err
	}
	there, listErr := j.pieces(ctx, j.op, j.u)
	if listErr != nil {
		var l *driver.Error
		if errors.As(listErr, &l) {
			l.Key = j.key
			if l.Kind == driver.NoBucket {
				return listErr
			}
		}
		if driver.Ended(listErr) || driver.KindOf(listErr).Temporary() {
			return listErr
		}
		return err
	}
	generations := make(map[string]int64, len(there))
	for _, o := range there {
		generations[o.Name] = o.Generation
	}
	if _, ok := generations[j.folder(j.u)+markerName]; !ok {
		e.Kind = driver.NotFound
		e.Err = fmt.Errorf("no such upload: %w", e.Err)
		return e
	}
	for _, p := range j.named {
		if g, _ := partGeneration(p); generations[j.partName(j.u, p.Number)] != g {
			e.Kind = driver.Mismatch
			e.Err = fmt.Errorf("part %d changed or is gone: %w", p.Number, e.Err)
			return e
		}
	}
	e.Kind = driver.Mismatch
	if j.cond.IfAbsent {
		e.Kind = driver.Exists
	}
	return e
}
