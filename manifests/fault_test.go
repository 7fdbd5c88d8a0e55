package manifests_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/manifests"
)

// TestFaults has one call after the other of a push, a pull and a deletion fail, before the
// store carries it out or behind that. What succeeded is there, and what failed succeeds when it
// is done again.
func TestFaults(t *testing.T) {
	for i, where := range []fault.Where{fault.Before, fault.After, fault.Before, fault.After} {
		for n := 1; ; n++ {
			inner := mem.NewWith(mem.Options{NoBatch: i > 1})
			source := newReplica(t, inner)
			subject := source.pushed("a", nil)
			desc := subject.Descriptor()
			m := source.image("a", func(m *v1.Manifest) { m.Subject = &desc })
			d := m.Descriptor().Digest
			calls := 0
			counted := driver.Wrap(inner, counting(&calls))
			r := newReplica(t, fault.Wrap(counted, fault.Script{{Nth: n, Where: where, Kind: driver.Denied}})) // which is not repeated
			steps := []struct {
				name string
				do   func(repo *manifests.Repository) error
			}{
				{"Put", func(repo *manifests.Repository) error {
					_, err := repo.Put(t.Context(), m, distribution.WithTag("v1"))
					return err
				}},
				{"Tag", func(repo *manifests.Repository) error { return repo.Tags().Tag(t.Context(), "v1", m.Descriptor()) }},
				{"Get", func(repo *manifests.Repository) error { _, err := repo.Get(t.Context(), d); return err }},
				{"tag Get", func(repo *manifests.Repository) error {
					got, err := repo.Tags().Get(t.Context(), "v1")
					if err == nil && got.Digest != d {
						err = fmt.Errorf("tag is %s", got.Digest)
					}
					return err
				}},
				{"Referrers", func(repo *manifests.Repository) error {
					got, _, err := repo.Referrers(t.Context(), desc.Digest, "", "")
					if err == nil && (len(got) != 1 || got[0].Digest != d) {
						err = fmt.Errorf("referrers %v", got)
					}
					return err
				}},
				{"All", func(repo *manifests.Repository) error {
					got, err := repo.Tags().All(t.Context())
					if err == nil && !slices.Equal(got, []string{"v1"}) {
						err = fmt.Errorf("tags %v", got)
					}
					return err
				}},
				{"Delete", func(repo *manifests.Repository) error { return repo.Delete(t.Context(), d) }},
			}
			for _, step := range steps {
				err := step.do(r.repository("a", deleting))
				if err == nil {
					continue
				}
				if !errors.Is(err, driver.Denied) {
					t.Errorf("%s call %d, %s: %v", where, n, step.name, err)
				}
				err = step.do(r.repository("a", deleting))
				gone := step.name == "Delete" && errors.Is(err, distribution.ErrBlobUnknown)
				if err != nil && !gone {
					t.Errorf("%s call %d, %s again: %v", where, n, step.name, err)
				}
			}
			if left := strings.Join(under(t, inner, keys.Manifests("a")), " "); left != keys.RevisionLink("a", desc.Digest) {
				t.Errorf("%s call %d: left %s", where, n, left)
			}
			if calls < n-1 {
				break
			}
		}
	}
}

// TestPushRaces has many push, tag, delete and list at the same time. What is a tag in the end is
// one of the manifests that were pushed, and its history has it.
func TestPushRaces(t *testing.T) {
	b := mem.New()
	replicas := []replica{newReplica(t, b), newReplica(t, b)}
	var images []*manifests.Manifest
	for range 4 {
		images = append(images, replicas[0].image("a", nil))
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			r := replicas[i%2]
			for round := range 30 {
				m := images[(i+round)%len(images)]
				repo := r.repository("a", deleting)
				if _, err := repo.Put(t.Context(), m, distribution.WithTag("v1")); err != nil {
					t.Errorf("Put: %v", err)
				}
				if err := repo.Tags().Tag(t.Context(), "v1", m.Descriptor()); err != nil {
					t.Errorf("Tag: %v", err)
				}
				if _, err := r.repository("a", deleting).Tags().List(t.Context(), 5, ""); err != nil && err.Error() != "EOF" {
					t.Errorf("List: %v", err)
				}
			}
		})
	}
	wg.Wait()
	for _, r := range replicas {
		repo := r.repository("a", deleting)
		d, err := repo.Tags().Get(t.Context(), "v1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := repo.Get(t.Context(), d.Digest); err != nil {
			t.Error(err)
		}
		if got, err := repo.Tags().ManifestDigests(t.Context(), "v1"); err != nil || len(got) != len(images) {
			t.Errorf("history %v, %v", got, err)
		}
	}
}

// TestDeleteRaces has pushes and deletions of one manifest at the same time. Afterwards a push
// is there and a deletion has taken everything, on the replica that did it.
func TestDeleteRaces(t *testing.T) {
	b := mem.New()
	r := newReplica(t, b)
	m := r.image("a", nil)
	d := m.Descriptor().Digest
	push := func() {
		repo := r.repository("a", deleting)
		if _, err := repo.Put(t.Context(), m, distribution.WithTag("v1")); err != nil {
			t.Errorf("Put: %v", err)
		}
		if err := repo.Tags().Tag(t.Context(), "v1", m.Descriptor()); err != nil {
			t.Errorf("Tag: %v", err)
		}
	}
	remove := func() {
		if err := r.repository("a", deleting).Delete(t.Context(), d); err != nil && !errors.Is(err, distribution.ErrBlobUnknown) {
			t.Errorf("Delete: %v", err)
		}
	}
	for range 200 {
		var wg sync.WaitGroup
		for _, do := range []func(){push, remove, push, remove, func() { _, _ = r.repository("a", deleting).Get(t.Context(), d) }} {
			wg.Go(do)
		}
		wg.Wait()
		_, known := r.repository("a", deleting).Read(t.Context(), d)
		_, there := newReplica(t, b).repository("a", deleting).Read(t.Context(), d)
		if (known == nil) != (there == nil) {
			t.Fatalf("this replica: %v, another: %v", known, there)
		}
		push()
		if _, err := r.repository("a", deleting).Read(t.Context(), d); err != nil {
			t.Fatalf("after a push: %v", err)
		}
		remove()
		if _, err := r.repository("a", deleting).Read(t.Context(), d); err == nil {
			t.Fatal("it is there after a deletion")
		}
		if left := under(t, b, keys.Manifests("a")); len(left) > 0 {
			t.Fatalf("left: %v", left)
		}
	}
}

// TestUnknownDigests asks for what no digest is.
func TestUnknownDigests(t *testing.T) {
	repo := newReplica(t, mem.New()).repository("a", deleting)
	for _, d := range []digest.Digest{"", "sha256:", "sha256:../../x", "md5:d41d8cd98f00b204e9800998ecf8427e", "x"} {
		if _, err := repo.Get(t.Context(), d); !errors.As(err, new(distribution.ErrManifestUnknownRevision)) {
			t.Errorf("Get(%q): %v", d, err)
		}
		if there, err := repo.Exists(t.Context(), d); there || err != nil {
			t.Errorf("Exists(%q): %t, %v", d, there, err)
		}
		if err := repo.Delete(t.Context(), d); err == nil {
			t.Errorf("Delete(%q): no error", d)
		}
		if _, _, err := repo.Referrers(t.Context(), d, "", ""); err == nil {
			t.Errorf("Referrers(%q): no error", d)
		}
	}
}
