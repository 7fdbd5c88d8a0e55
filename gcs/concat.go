package gcs

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/api/storage/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// scratchMark stands behind the key where the caller names no prefix for intermediate
// objects.
const scratchMark = ".joining-"

// randDigits tell the intermediate objects of one concatenation from others'.
const randDigits = 16

// tidyTime bounds the removal of intermediate objects once the caller's context has ended:
// the caller waits for it, and a store that does not answer must not hold the caller up.
const tidyTime = 500 * time.Millisecond

// concat joins objects by compose: up to 32 by one request. More are joined in groups
// first, the groups in parallel, to intermediate objects that the next request
// consumes. A refusal costs a look at each source, since the reply does not tell which
// of them it is about.
func (b *Bucket) concat(ctx context.Context, r driver.ConcatRequest) (driver.Object, error) {
	j := &joining{Bucket: b, r: r, run: cmp.Or(r.Scratch, r.Key+scratchMark) + strings.ToLower(rand.Text()[:randDigits])}
	sources, match, err := j.check(ctx)
	if err != nil {
		return driver.Object{}, driver.NewError(driver.OpConcat, r.Key, err)
	}
	stored, err := j.join(ctx, sources, match)
	if err != nil {
		return driver.Object{}, j.refused(ctx, err)
	}
	return b.object(r.Key, stored), nil
}

// joining is one concatenation.
type joining struct {
	*Bucket
	r    driver.ConcatRequest
	run  string   // how the keys of its intermediate objects begin
	made []string // the names of all of them, as the store knows them
}

// check looks at all that needs no request.
func (j *joining) check(ctx context.Context) ([]*storage.ComposeRequestSourceObjects, *int64, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if err := j.checkKey(j.r.Key); err != nil {
		return nil, nil, err
	}
	if err := j.r.Check(limits); err != nil {
		return nil, nil, err
	}
	if len(j.r.Sources) == 0 {
		return nil, nil, fmt.Errorf("no sources: %w", driver.Invalid)
	}
	if len(j.r.Sources) > fanIn {
		if err := j.checkKey(j.scratch(1, 0)); err != nil {
			return nil, nil, fmt.Errorf("intermediate objects: %w", err)
		}
	}
	sources := make([]*storage.ComposeRequestSourceObjects, len(j.r.Sources))
	for i, s := range j.r.Sources {
		if err := j.checkKey(s.Key); err != nil {
			return nil, nil, fmt.Errorf("source: %w", err)
		}
		g, err := pinOf(s)
		if err != nil {
			return nil, nil, err
		}
		sources[i] = composed(j.full(s.Key), g)
	}
	match, err := matchOf(j.r.Options.Cond)
	return sources, match, err
}

// pinOf is the generation that a source must have; 0 is any.
func pinOf(s driver.Object) (int64, error) {
	pin := cmp.Or(s.Version, s.ETag)
	if pin == "" {
		return 0, nil
	}
	g, ok := generation(pin)
	if !ok || s.ETag != "" && s.ETag != pin {
		return 0, fmt.Errorf("source %q: ETag %q and version %q are no generation of it: %w", s.Key, s.ETag, s.Version, driver.Mismatch)
	}
	return g, nil
}

// composed is a source of a request.
func composed(name string, generation int64) *storage.ComposeRequestSourceObjects {
	s := &storage.ComposeRequestSourceObjects{Name: name}
	if generation != 0 {
		s.ObjectPreconditions = &storage.ComposeRequestSourceObjectsObjectPreconditions{IfGenerationMatch: generation}
	}
	return s
}

// scratch is the key of an intermediate object.
func (j *joining) scratch(level, i int) string { return fmt.Sprintf("%s-%d-%04d", j.run, level, i) }

func (j *joining) join(ctx context.Context, sources []*storage.ComposeRequestSourceObjects, match *int64) (*storage.Object, error) {
	own := false // the sources are intermediate objects
	for level := 1; len(sources) > fanIn; level++ {
		var err error
		if sources, err = j.joinGroups(ctx, level, sources, own); err != nil {
			j.tidy(ctx)
			// Nothing has happened to the key yet.
			var e *driver.Error
			if errors.As(err, &e) {
				e.OutcomeUnknown = false
			}
			return nil, err
		}
		own = true
	}
	dst := j.fresh(j.full(j.r.Key), j.r.Options)
	if j.r.CRC32C != nil {
		dst.Crc32c = encodeCRC(*j.r.CRC32C)
	}
	stored, err := j.composeMade(ctx, j.call(j.r.Options.Cond), dst, sources, match, own, own || j.consumes())
	if err != nil {
		j.tidy(ctx)
	}
	return stored, err
}

// youngTries bounds how often a request is sent that consumes objects which are too young.
const youngTries = 3

// composeMade is compose, of intermediate objects where own is true. Their removal may be a
// change too many within the second in which they were made; the caller's repetition of the
// whole would make others, as young as these.
func (j *joining) composeMade(ctx context.Context, c *call, dst *storage.Object, sources []*storage.ComposeRequestSourceObjects, match *int64, own, consume bool) (*storage.Object, error) {
	for try := 1; ; try++ {
		stored, err := j.compose(ctx, c, dst, sources, match, consume)
		var e *driver.Error
		if !own || try == youngTries || !errors.As(err, &e) || e.Kind != driver.Throttled || !e.KeyOnly {
			return stored, err
		}
		t := time.NewTimer(e.RetryAfter)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, err
		}
		c = &call{cloud.Call{Op: c.Op, Key: c.Key, Cond: c.Cond}}
	}
}

// consumes reports whether the one request may delete the caller's sources. One that
// is the destination too would be deleted with them.
func (j *joining) consumes() bool {
	itself := func(s driver.Object) bool { return s.Key == j.r.Key }
	return j.r.DeleteSources && !slices.ContainsFunc(j.r.Sources, itself)
}

// joinGroups joins groups of up to fanIn sources, all of about the same number, so
// that no source is left by itself.
func (j *joining) joinGroups(ctx context.Context, level int, sources []*storage.ComposeRequestSourceObjects, consume bool) ([]*storage.ComposeRequestSourceObjects, error) {
	count := (len(sources) + fanIn - 1) / fanIn
	joined := make([]*storage.ComposeRequestSourceObjects, count)
	// One that fails does not cancel the others: a request that is cancelled may still be
	// executed, after its object was looked for in vain.
	var g errgroup.Group
	g.SetLimit(joins)
	for i := range joined {
		group := sources[i*len(sources)/count : (i+1)*len(sources)/count]
		name := j.full(j.scratch(level, i))
		j.made = append(j.made, name)
		g.Go(func() error {
			stored, err := j.composeMade(ctx, j.call(driver.Cond{}), j.fresh(name, driver.WriteOptions{Use: j.r.Options.Use}), group, nil, consume, consume)
			if err != nil {
				return err
			}
			joined[i] = composed(name, stored.Generation)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		if ctx.Err() != nil && !driver.IsContextError(err) {
			return nil, driver.NewError(driver.OpConcat, j.r.Key, ctx.Err())
		}
		return nil, err
	}
	return joined, nil
}

func (j *joining) call(c driver.Cond) *call {
	return &call{cloud.Call{Op: driver.OpConcat, Key: j.r.Key, Cond: c}}
}

// tidy removes the intermediate objects of a concatenation that failed.
func (j *joining) tidy(ctx context.Context) {
	if len(j.made) == 0 {
		return
	}
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), tidyTime)
		defer cancel()
	}
	_ = j.removeAll(ctx, driver.OpConcat, j.r.Key, j.made) // what stays has the prefix that the caller chose
}

// refused finds out why a concatenation was refused: the same status stands for the
// sources and for the destination, and for their sum and other mistakes.
func (j *joining) refused(ctx context.Context, err error) error {
	var e *driver.Error
	if !errors.As(err, &e) {
		return err
	}
	summed := e.Kind == driver.Invalid && e.Status != 0 && j.r.CRC32C != nil
	if !summed && e.Kind != driver.NotFound && e.Kind != driver.Mismatch && e.Kind != driver.Exists {
		return err
	}
	found := make([]error, len(j.r.Sources))
	sums := make([]*uint32, len(j.r.Sources))
	var g errgroup.Group
	g.SetLimit(joins)
	for i, s := range j.r.Sources {
		g.Go(func() error { sums[i], found[i] = j.look(ctx, s); return nil })
	}
	_ = g.Wait() // each error is kept in its place
	for _, err := range found {
		if err != nil {
			return err
		}
	}
	if summed {
		if sum, ok := joinedCRC(j.r.Sources, sums); ok && sum != *j.r.CRC32C {
			e.Kind = driver.Corrupt
			e.Err = fmt.Errorf("the sources have the CRC32C %s, want %s: %w", encodeCRC(sum), encodeCRC(*j.r.CRC32C), e.Err)
		}
		return err
	}
	if e.Kind == driver.NotFound {
		return err // whatever it was has come back
	}
	e.Kind = driver.Mismatch
	if j.r.Options.Cond.IfAbsent {
		e.Kind = driver.Exists
	}
	return e
}

// look is what is wrong with a source, if anything, and its sum.
func (j *joining) look(ctx context.Context, s driver.Object) (*uint32, error) {
	got, err := j.get(ctx, driver.OpConcat, j.r.Key, j.full(s.Key))
	if err != nil {
		var e *driver.Error
		if errors.As(err, &e) {
			e.OutcomeUnknown = false
			e.Err = fmt.Errorf("source %q: %w", s.Key, e.Err)
		}
		return nil, j.absent(ctx, err)
	}
	if pin, _ := pinOf(s); pin != 0 && got.Generation != pin {
		return nil, driver.NewError(driver.OpConcat, j.r.Key, fmt.Errorf("source %q has generation %d, not %d: %w", s.Key, got.Generation, pin, driver.Mismatch))
	}
	return decodeCRC(got.Crc32c), nil
}
