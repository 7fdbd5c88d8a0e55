package check_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/check"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
)

func TestRefused(t *testing.T) {
	b := newBucket(t)
	populate(b)
	for want, o := range map[string]check.Options{
		"age and concurrency":        {OlderThan: -1},
		"must not be negative":       {Concurrency: -1},
		`repository "A B"`:           {Repositories: []string{"A B"}},
		`ignore "rust": want one of`: {Ignore: []check.Kind{"rust"}},
		`repair "blob-empty": want`:  {Repair: []check.Kind{check.BlobEmpty}},
	} {
		if _, err := check.Run(t.Context(), b, o); !errors.Is(err, driver.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want one with %q", err, want)
		}
	}
	if _, err := check.Run(t.Context(), b, check.Options{Repositories: []string{"team"}}); !errors.Is(err, driver.NotFound) {
		t.Errorf("repository that is not there: %v", err)
	}
	if _, err := check.Run(t.Context(), b, check.Options{Root: "elsewhere"}); !errors.Is(err, check.ErrNoRegistry) {
		t.Errorf("no registry: %v", err)
	}
}

// TestRepositories looks at those asked for, and not at those below them.
func TestRepositories(t *testing.T) {
	b := newBucket(t)
	p := populate(b)
	b.put(at.Blob(digest.FromString("orphan")), "orphan")
	b.image("team/app/below", "below", "v1")
	b.remove(at.LayerLink("team/app/below", digest.FromString("below config")))
	b.remove(at.LayerLink("release/app", p.app.config.Digest))
	b.remove(at.LayerLink("multi", p.arm.config.Digest))
	b.put(at.Blob(p.arm.layers[0].Digest), "")
	for _, tt := range []struct {
		repositories []string
		want         []string
	}{
		{[]string{"team/app"}, nil},
		{[]string{"release/app"}, []string{"reference-unlinked"}},
		{[]string{"team/app", "team/app/below", "team/app"}, []string{"reference-unlinked"}},
		{[]string{"multi", "release/app"}, []string{"blob-empty", "reference-broken", "reference-unlinked", "reference-unlinked"}},
		{nil, []string{"blob-empty", "blob-orphan", "reference-broken", "reference-unlinked", "reference-unlinked", "reference-unlinked"}},
	} {
		_, found := run(t, b, check.Options{Repositories: tt.repositories, Digest: true})
		var got []string
		for _, f := range found {
			got = append(got, string(f.Kind))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q: found %q, want %q", tt.repositories, got, tt.want)
		}
	}
}

// TestIgnore neither tells nor repairs, and TestRepairOnly repairs nothing else.
func TestIgnore(t *testing.T) {
	b := newBucket(t)
	p := populate(b)
	b.remove(at.LayerLink("multi", p.arm.config.Digest))
	b.remove(at.TagIndexLink("team/app", "v1", p.app.manifest.Digest))
	s, found := run(t, b, check.Options{Ignore: []check.Kind{check.TagUnindexed}, Repair: []check.Kind{check.TagUnindexed}})
	if len(found) != 1 || found[0].Kind != check.ReferenceUnlinked || s.Damaged != 1 || s.Repaired != 0 {
		t.Errorf("ignored: %+v, %+v", s, found)
	}
	s, found = run(t, b, check.Options{Repair: []check.Kind{check.TagUnindexed}})
	if len(found) != 2 || s.Repaired != 1 || found[0].Repaired || found[0].Repair == "" || !found[1].Repaired {
		t.Errorf("repaired: %+v, %+v", s, found)
	}
}

// TestAbandoned tells of uploads that sweep would take.
func TestAbandoned(t *testing.T) {
	b := newBucket(t)
	populate(b)
	aged := aging{b.Bucket, "0b9a2f6e-9b0c-4a51-8a4d-0b1d2b8f2c11"}
	_, found := run(t, aged, check.Options{})
	if len(found) != 1 || found[0].Kind != check.UploadAbandoned || found[0].Key != at.Upload("team/app", aged.part) || found[0].Kind.Damage() {
		t.Errorf("found %+v", found)
	}
}

// TestProgress tells of each phase, ever more of it, and all in the end.
func TestProgress(t *testing.T) {
	b := newBucket(t)
	populate(b)
	last := map[check.Phase]check.Progress{}
	var phases []check.Phase
	s, _ := run(t, b, check.Options{Digest: true, Progress: func(p check.Progress) {
		if p.Done < last[p.Phase].Done || p.Total < p.Done {
			t.Errorf("%+v after %+v", p, last[p.Phase])
		}
		if !slices.Contains(phases, p.Phase) {
			phases = append(phases, p.Phase)
		}
		last[p.Phase] = p
	}})
	if want := []check.Phase{check.Blobs, check.Digests, check.Repositories}; !slices.Equal(phases, want) {
		t.Errorf("phases %q, want %q", phases, want)
	}
	if last[check.Blobs].Done != s.Blobs+1 || // and a session
		last[check.Repositories].Done != s.Links {
		t.Errorf("last %+v, of %+v", last, s)
	}
	if d := last[check.Digests]; d.Done != s.ComparedBytes || d.Done != d.Total {
		t.Errorf("last %+v, of %+v", d, s)
	}
}

// TestSideBySide does not send more requests at once than it may.
func TestSideBySide(t *testing.T) {
	b := newBucket(t)
	for _, repo := range []string{"a", "b", "c", "d"} {
		b.image(repo, repo, "v1", "v2")
	}
	var most gauge
	s, found := run(t, most.wrap(fault.Wrap(b, fault.Script{{Op: driver.OpOpen, Delay: time.Millisecond}})), check.Options{Concurrency: 3, Digest: true})
	if p := most.peak.Load(); len(found) > 0 || s.Links != 32 || p < 2 || p > 3+1 { // and one that lists
		t.Errorf("%d at once, %+v, %+v", most.peak.Load(), s, found)
	}
}
