// Package probe tries out what a registry needs of a store, with the credentials
// that the registry will have: it finds the permission that is missing before the
// first push does.
package probe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// Folder is where the probe's objects lie below the bucket's prefix, in a folder
// of each run's own. They are removed at the end.
const Folder = "blobdock-probe"

// Status is how a check ended.
type Status string

const (
	OK      Status = "ok"
	Advised Status = "advice" // of a setting: it works, and Detail says what to change or to expect
	Failed  Status = "failed"
	Unused  Status = "unused"  // the store, or its profile, does not offer it: nothing needs it
	Skipped Status = "skipped" // it needs what failed before
)

// Result is what a check found.
type Result struct {
	Check  string
	Status Status
	Took   time.Duration
	// Detail is what was found, or what to do.
	Detail string
	// Grant is the permission that is missing, in the store's own words.
	Grant string
	Err   error
}

// check is one thing to find out. It returns what was found.
type check struct {
	name string
	// unused says why there is nothing to check, "" where there is.
	unused func(p *run) string
	// needs is the check without which this one can't be made.
	needs string
	do    func(ctx context.Context, p *run) (detail string, err error)
	// rows, in the place of do, is for checks with several results, or none.
	rows func(ctx context.Context, p *run) []Result
}

// run is one run of all checks.
type run struct {
	bucket   driver.Bucket
	features driver.Features
	folder   string
	passed   map[string]bool

	object driver.Object // that "put" wrote
	behind time.Duration // the store's clock, to this machine's
	upload driver.Upload
	parts  []driver.Part
	made   []string // keys to remove
}

func newRun(b driver.Bucket) *run {
	return &run{bucket: b, features: b.Features(), folder: Folder + "/" + strings.ToLower(rand.Text()), passed: make(map[string]bool)}
}

const content = "written by blobdock probe, safe to delete\n"

// Run makes all checks on b, one after the other, and yields the result of each.
func Run(ctx context.Context, b driver.Bucket) iter.Seq[Result] { return each(ctx, b, checks) }

// Look makes only checks that write nothing to b: whether the store answers and lists objects
// and uploads, the clocks, and the bucket's settings. Permissions to write, conditional writes
// and signed URLs remain unknown.
func Look(ctx context.Context, b driver.Bucket) iter.Seq[Result] { return each(ctx, b, looks) }

func each(ctx context.Context, b driver.Bucket, checks []check) iter.Seq[Result] {
	return func(yield func(Result) bool) {
		p := newRun(b)
		defer p.tidy(ctx)
		for _, c := range checks {
			for _, r := range p.make(ctx, c) {
				if !yield(r) {
					return
				}
			}
		}
	}
}

func (p *run) make(ctx context.Context, c check) []Result {
	if c.rows != nil {
		return c.rows(ctx, p)
	}
	return []Result{p.one(ctx, c)}
}

func (p *run) one(ctx context.Context, c check) Result {
	r := Result{Check: c.name}
	if c.unused != nil {
		if r.Detail = c.unused(p); r.Detail != "" {
			r.Status = Unused
			return r
		}
	}
	if c.needs != "" && !p.passed[c.needs] {
		r.Status, r.Detail = Skipped, "needs "+c.needs
		return r
	}
	began := time.Now()
	r.Detail, r.Err = c.do(ctx, p)
	r.Took = time.Since(began)
	r.Status, p.passed[c.name] = OK, r.Err == nil
	if r.Err != nil {
		r.Status = Failed
		if e := (*driver.Error)(nil); errors.As(r.Err, &e) && e.Kind == driver.Denied && !e.OtherThanPermission {
			r.Grant = p.features.Permissions[e.Op]
		}
	}
	return r
}

// tidy removes what is left of the checks, as far as that is allowed.
func (p *run) tidy(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if p.upload.ID != "" {
		_ = p.features.Uploads.AbortUpload(ctx, p.upload)
	}
	for _, key := range p.made {
		_ = p.bucket.Delete(ctx, key, driver.DeleteOptions{})
	}
}

// key is one of the run's own.
func (p *run) key(name string) string { return p.folder + "/" + name }

// mark has key removed at the end.
func (p *run) mark(key string) {
	if !slices.Contains(p.made, key) {
		p.made = append(p.made, key)
	}
}

func (p *run) put(ctx context.Context, key, text string, o driver.WriteOptions) (driver.Object, error) {
	p.mark(key)
	return p.bucket.Put(ctx, key, section(text), o)
}

func section(s string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(s), 0, int64(len(s)))
}

func (p *run) read(ctx context.Context, key string) error {
	r, err := p.bucket.Open(ctx, key, driver.Range{}, driver.ReadOptions{})
	if err != nil {
		return err
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if string(got) != content {
		return fmt.Errorf("read %d bytes of something else than was written: %w", len(got), driver.Corrupt)
	}
	return nil
}
