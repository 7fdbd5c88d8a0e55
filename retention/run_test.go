package retention_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/internal/pulls"
	"github.com/blobdock/blobdock/manifests"
	"github.com/blobdock/blobdock/retention"
)

// repository is one on a bucket.
func repository(t *testing.T, b driver.Bucket, name string) (*manifests.Repository, *manifests.Manifest) {
	t.Helper()
	s, err := blobstore.New(b, blobstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	named, err := reference.WithName(name)
	if err != nil {
		t.Fatal(err)
	}
	config, err := s.Repository(named).Put(t.Context(), "", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifests.Parse(v1.MediaTypeImageManifest, digest.SHA256, fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"digest":%q,"size":2}}`, v1.MediaTypeImageManifest, config.Digest))
	if err != nil {
		t.Fatal(err)
	}
	return manifests.New(s).Repository(named, manifests.Options{Delete: true}), m
}

// TestRun deletes the tags that go, whole, and no others; a tag that is pushed again meanwhile
// stays.
func TestRun(t *testing.T) {
	p, err := retention.Parse([]byte(`rules: [{repositories: ["team/*"], tags: ["pr-*"], keep: {last: 2}}]`))
	if err != nil {
		t.Fatal(err)
	}
	for _, store := range []string{"gcs", "azure", "minio", "ceph"} {
		t.Run(store, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mem.NewWith(mem.Imitations()[store])
				r, m := repository(t, b, "team/app")
				other, _ := repository(t, b, "other")
				for _, tag := range []string{"v1", "pr-1", "pr-2", "pr-3", "pr-4"} {
					if err := r.Push(t.Context(), m, tag); err != nil {
						t.Fatal(err)
					}
					if err := other.Push(t.Context(), m, tag); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Hour)
				}
				if s, err := retention.Run(t.Context(), b, p, retention.Options{DryRun: true}); err != nil || s.Deleted != 2 || s.Tags != 10 || s.Repositories != 2 {
					t.Errorf("dry run: %+v, %v", s, err)
				}
				first := true
				raced := driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
					if (c.Op == driver.OpDelete || c.Op == driver.OpStat) && strings.Contains(c.Key, "/pr-1/") && first {
						first = false
						newer, changed := repository(t, b, "team/app")
						_ = changed
						// Another manifest, so that its link has other bytes.
						again, err := manifests.Parse(v1.MediaTypeImageManifest, digest.SHA256, []byte(strings.Replace(payload(t, m), "{", "{ ", 1)))
						if err != nil {
							t.Error(err)
						}
						if err := newer.Push(t.Context(), again, "pr-1"); err != nil {
							t.Error(err)
						}
					}
					return next(ctx)
				})
				var gone []string
				s, err := retention.Run(t.Context(), raced, p, retention.Options{OnTag: func(repo string, t retention.Tag) { gone = append(gone, repo+":"+t.Name) }})
				if err != nil || s.Deleted != 1 || s.Moved != 1 || !slices.Equal(gone, []string{"team/app:pr-2"}) {
					t.Errorf("%+v, %v, gone %q", s, err, gone)
				}
				got, err := r.Tags().All(t.Context())
				if want := []string{"pr-1", "pr-3", "pr-4", "v1"}; err != nil || !slices.Equal(got, want) {
					t.Errorf("tags %q (%v), want %q", got, err, want)
				}
				if got, err := other.Tags().All(t.Context()); err != nil || len(got) != 5 {
					t.Errorf("other has %q, %v", got, err)
				}
				l := layout.Layout{Root: layout.DefaultRoot}
				for e, err := range driver.List(t.Context(), b, driver.ListRequest{Prefix: l.Tag("team/app", "pr-2")}) {
					t.Errorf("left: %s, %v", e.Key, err)
				}
			})
		})
	}
}

// TestRunSeconds deletes tags on a store that tells fractions of seconds in listings alone, as MinIO does;
// one that is pushed again meanwhile, with the same bytes, stays.
func TestRunSeconds(t *testing.T) {
	p, err := retention.Parse([]byte(`rules: [{repositories: ["**"], tags: ["pr-*"], keep: {last: 1}}]`))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		b := mem.NewWith(mem.Imitations()["ceph"])
		r, m := repository(t, b, "app")
		time.Sleep(931 * time.Millisecond)
		for _, tag := range []string{"pr-1", "pr-2", "pr-3"} {
			if err := r.Push(t.Context(), m, tag); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		again := func(key string) {
			if strings.Contains(key, "/pr-2/") {
				if err := r.Push(t.Context(), m, "pr-2"); err != nil {
					t.Error(err)
				}
			}
		}
		if s, err := retention.Run(t.Context(), wholeSeconds{b, again}, p, retention.Options{}); err != nil || s.Deleted != 1 || s.Moved != 1 {
			t.Errorf("%+v, %v", s, err)
		}
		if got, err := r.Tags().All(t.Context()); err != nil || !slices.Equal(got, []string{"pr-2", "pr-3"}) {
			t.Errorf("tags %q, %v", got, err)
		}
	})
}

// wholeSeconds has no fractions of seconds in what Stat tells, and calls before with its keys.
type wholeSeconds struct {
	driver.Bucket
	before func(key string)
}

func (b wholeSeconds) Stat(ctx context.Context, key string) (driver.Object, error) {
	b.before(key)
	o, err := b.Bucket.Stat(ctx, key)
	o.ModTime = o.ModTime.Truncate(time.Second)
	return o, err
}

func payload(t *testing.T, m *manifests.Manifest) string {
	t.Helper()
	_, p, err := m.Payload()
	if err != nil {
		t.Fatal(err)
	}
	return string(p)
}

// TestRunByPulls deletes what nobody has pulled, by tag or by digest, once that is known for long
// enough.
func TestRunByPulls(t *testing.T) {
	p, err := retention.Parse([]byte(`rules: [{repositories: ["**"], tags: ["*"], keep: {pulled_within: 240h}}]`))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		b := mem.NewWith(mem.Imitations()["gcs"])
		r, m := repository(t, b, "app")
		other, _ := repository(t, b, "other")
		for repo, tags := range map[*manifests.Repository][]string{r: {"by-tag"}, other: {"by-digest", "same"}} {
			for _, tag := range tags {
				if err := repo.Push(t.Context(), m, tag); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := r.Push(t.Context(), m, "never"); err != nil {
			t.Fatal(err)
		}
		run := func(deleted int64, note string) {
			t.Helper()
			got, err := retention.Run(t.Context(), b, p, retention.Options{})
			if err != nil || got.Deleted != deleted || (note == "") != (got.Note == "") || !strings.Contains(got.Note, note) {
				t.Errorf("%v after %+v, want %d deleted and %q", err, got, deleted, note)
			}
		}
		time.Sleep(40 * day)
		run(0, "pulls are not recorded")
		rec := pulls.NewRecorder(b, layout.Layout{Root: layout.DefaultRoot})
		flush := func() {
			t.Helper()
			if err := rec.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		flush()
		time.Sleep(9 * day)
		run(0, "until")
		rec.Note("app", "by-tag")
		rec.Note("other", m.Descriptor().Digest.String())
		flush()
		time.Sleep(2 * day)
		run(1, "")
		if _, err := r.Tags().Get(t.Context(), "by-tag"); err != nil {
			t.Error(err)
		}
		time.Sleep(9 * day)
		run(0, "") // the last of a repository stay
	})
}

// TestRunByRecentPull has a tag stay as long as the policy says after a pull at the end of an hour, though
// pulls are kept to the hour.
func TestRunByRecentPull(t *testing.T) {
	p, err := retention.Parse([]byte(`rules: [{repositories: ["**"], tags: ["*"], keep: {pulled_within: 1h}, empty: true}]`))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		b := mem.NewWith(mem.Imitations()["gcs"])
		r, m := repository(t, b, "app")
		if err := r.Push(t.Context(), m, "v1"); err != nil {
			t.Fatal(err)
		}
		rec := pulls.NewRecorder(b, layout.Layout{Root: layout.DefaultRoot})
		if err := rec.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5*time.Hour + 59*time.Minute)
		rec.Note("app", "v1")
		if err := rec.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, deleted := range []int64{0, 1} {
			time.Sleep(59 * time.Minute)
			if s, err := retention.Run(t.Context(), b, p, retention.Options{}); err != nil || s.Deleted != deleted {
				t.Errorf("%v: %+v, %v, want %d deleted", time.Now(), s, err, deleted)
			}
			time.Sleep(2 * time.Minute)
		}
	})
}
