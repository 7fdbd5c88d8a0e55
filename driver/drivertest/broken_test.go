package drivertest

import (
	"context"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// broken are buckets that each break one clause, by the clause's name.
var broken = map[string]func(driver.Bucket) driver.Bucket{
	"delete-absent":     func(b driver.Bucket) driver.Bucket { return deletesStrictly{b} },
	"range-edges":       func(b driver.Bucket) driver.Bucket { return opensLeniently{b} },
	"short-body":        func(b driver.Bucket) driver.Bucket { return takesShortBodies{b} },
	"list-order":        func(b driver.Bucket) driver.Bucket { return listsBackwards{b} },
	"cond-honoured":     func(b driver.Bucket) driver.Bucket { return ignoresConditions{b} },
	"put-atomic":        func(b driver.Bucket) driver.Bucket { return deletesFirst{b} },
	"complete-by-etag":  uploadsWith(func(u driver.Uploads) driver.Uploads { return forgivesParts{u} }),
	"complete-consumes": uploadsWith(func(u driver.Uploads) driver.Uploads { return abortsOnce{u} }),
	"ctx-reachable":     func(b driver.Bucket) driver.Bucket { return ignoresContext{b} },
	"etag-pins":         func(b driver.Bucket) driver.Bucket { return ignoresPins{b} },
	"key-bytes":         func(b driver.Bucket) driver.Bucket { return decodesKeys{b} },
	"metadata-kept":     func(b driver.Bucket) driver.Bucket { return dropsMetadata{b} },
	"version-unique":    func(b driver.Bucket) driver.Bucket { return repeatsVersions{b} },
	"delete-version":    func(b driver.Bucket) driver.Bucket { return deletesAny{b} },
	"delete-deadline":   func(b driver.Bucket) driver.Bucket { return deletesLate{b} },
	"concat-joins":      joinsWith(func(r *driver.ConcatRequest) { slices.Reverse(r.Sources) }),
	"concat-pins": joinsWith(func(r *driver.ConcatRequest) {
		r.Sources = slices.Clone(r.Sources)
		for i := range r.Sources {
			r.Sources[i].ETag, r.Sources[i].Version = "", ""
		}
	}),
	"concat-atomic":   joinsWith(func(r *driver.ConcatRequest) { r.Options.Cond = driver.Cond{} }),
	"concat-checksum": joinsWith(func(r *driver.ConcatRequest) { r.CRC32C = nil }),
}

type deletesStrictly struct{ driver.Bucket }

func (b deletesStrictly) Delete(ctx context.Context, key string, o driver.DeleteOptions) error {
	if _, err := b.Stat(ctx, key); err != nil {
		return err
	}
	return b.Bucket.Delete(ctx, key, o)
}

type opensLeniently struct{ driver.Bucket }

func (b opensLeniently) Open(ctx context.Context, key string, r driver.Range, o driver.ReadOptions) (*driver.Reader, error) {
	if obj, err := b.Stat(ctx, key); err == nil {
		r.Off = min(r.Off, obj.Size)
	}
	return b.Bucket.Open(ctx, key, r, o)
}

type takesShortBodies struct{ driver.Bucket }

func (b takesShortBodies) Put(ctx context.Context, key string, body *io.SectionReader, o driver.WriteOptions) (driver.Object, error) {
	n, _ := io.Copy(io.Discard, io.NewSectionReader(body, 0, body.Size()))
	return b.Bucket.Put(ctx, key, io.NewSectionReader(body, 0, n), o)
}

type listsBackwards struct{ driver.Bucket }

func (b listsBackwards) ListPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Entry], error) {
	p, err := b.Bucket.ListPage(ctx, q)
	slices.Reverse(p.Items)
	return p, err
}

type ignoresConditions struct{ driver.Bucket }

func (b ignoresConditions) Put(ctx context.Context, key string, body *io.SectionReader, o driver.WriteOptions) (driver.Object, error) {
	o.Cond = driver.Cond{}
	return b.Bucket.Put(ctx, key, body, o)
}

type deletesFirst struct{ driver.Bucket }

func (b deletesFirst) Put(ctx context.Context, key string, body *io.SectionReader, o driver.WriteOptions) (driver.Object, error) {
	if o.Cond.IsZero() {
		_ = b.Delete(ctx, key, driver.DeleteOptions{})
	}
	return b.Bucket.Put(ctx, key, body, o)
}

type forgivesParts struct{ driver.Uploads }

func (b forgivesParts) CompleteUpload(ctx context.Context, u driver.Upload, parts []driver.Part, c driver.Cond) (driver.Object, error) {
	slices.SortFunc(parts, func(x, y driver.Part) int { return x.Number - y.Number })
	return b.Uploads.CompleteUpload(ctx, u, parts, c)
}

type abortsOnce struct{ driver.Uploads }

func (b abortsOnce) AbortUpload(ctx context.Context, u driver.Upload) error {
	page, err := b.UploadsPage(ctx, driver.ListRequest{Prefix: u.Key})
	if err != nil {
		return err
	}
	for _, have := range page.Items {
		if have.ID == u.ID {
			return b.Uploads.AbortUpload(ctx, u)
		}
	}
	return driver.NewError(driver.OpAbortUpload, u.Key, driver.NotFound)
}

type ignoresContext struct{ driver.Bucket }

func (b ignoresContext) Stat(ctx context.Context, key string) (driver.Object, error) {
	return b.Bucket.Stat(context.WithoutCancel(ctx), key)
}

type ignoresPins struct{ driver.Bucket }

func (b ignoresPins) Open(ctx context.Context, key string, r driver.Range, _ driver.ReadOptions) (*driver.Reader, error) {
	return b.Bucket.Open(ctx, key, r, driver.ReadOptions{})
}

type decodesKeys struct{ driver.Bucket }

func (b decodesKeys) Put(ctx context.Context, key string, body *io.SectionReader, o driver.WriteOptions) (driver.Object, error) {
	return b.Bucket.Put(ctx, strings.ReplaceAll(key, "+", " "), body, o)
}

type dropsMetadata struct{ driver.Bucket }

func (b dropsMetadata) Put(ctx context.Context, key string, body *io.SectionReader, o driver.WriteOptions) (driver.Object, error) {
	if driver.CheckMetadata(o.Metadata) == nil {
		o.Metadata = nil
	}
	return b.Bucket.Put(ctx, key, body, o)
}

type repeatsVersions struct{ driver.Bucket }

func (b repeatsVersions) Put(ctx context.Context, key string, body *io.SectionReader, o driver.WriteOptions) (driver.Object, error) {
	obj, err := b.Bucket.Put(ctx, key, body, o)
	obj.Version = "1"
	return obj, err
}

type deletesAny struct{ driver.Bucket }

func (b deletesAny) Delete(ctx context.Context, key string, o driver.DeleteOptions) error {
	o.IfVersion = ""
	return b.Bucket.Delete(ctx, key, o)
}

type deletesLate struct{ driver.Bucket }

func (b deletesLate) Delete(ctx context.Context, key string, o driver.DeleteOptions) error {
	o.NotAfter = time.Time{}
	return b.Bucket.Delete(ctx, key, o)
}

// uploadsWith puts other uploads in place.
func uploadsWith(wrap func(driver.Uploads) driver.Uploads) func(driver.Bucket) driver.Bucket {
	return func(b driver.Bucket) driver.Bucket {
		return driver.WithFeatures(b, func(f *driver.Features) { f.Uploads = wrap(f.Uploads) })
	}
}

// joinsWith changes what is asked of Concat.
func joinsWith(edit func(*driver.ConcatRequest)) func(driver.Bucket) driver.Bucket {
	return func(b driver.Bucket) driver.Bucket {
		return driver.WithFeatures(b, func(f *driver.Features) {
			join := f.Concat
			f.Concat = func(ctx context.Context, r driver.ConcatRequest) (driver.Object, error) {
				edit(&r)
				return join(ctx, r)
			}
		})
	}
}

// TestSuiteNotices runs the suite on broken buckets, each in a process of its
// own, and wants the test of the broken clause to fail.
func TestSuiteNotices(t *testing.T) {
	const variable = "BLOBDOCK_TEST_BROKEN"
	if clause := os.Getenv(variable); clause != "" {
		Run(t, Harness{New: func(testing.TB) driver.Bucket {
			return broken[clause](mem.NewWith(mem.Options{Parts: driver.PartLimits{MinSize: 100}}))
		}})
		return
	}
	for clause := range broken {
		t.Run(clause, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSuiteNotices$/^"+clause+"$", "-test.v")
			cmd.Env = append(os.Environ(), variable+"="+clause)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestSuiteNotices/"+clause) {
				t.Errorf("the suite passes a bucket that breaks this clause (%v):\n%s", err, out)
			}
		})
	}
}
