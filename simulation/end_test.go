package simulation_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/check"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/internal/storm"
)

// end looks at what is left when all clients have gone.
func (s *sim) end() {
	s.checkAll(s.bucket)
	s.checkCopy()
	collects := s.bucket.Features().Conds.Put == driver.AllConds
	for range 9 { // each takes away what only the one before has set free
		time.Sleep(s.age + s.wait + sweepAge)
		p := s.process("last operator")
		if err := s.sweep(s.t.Context(), p); err != nil {
			s.fail(nil, "a sweeper that is alone: %v", err)
		}
		if !collects {
			continue
		}
		if err := s.collect(s.t.Context(), s.bucket, s.untagged); err != nil {
			s.fail(nil, "a collector that is alone: %v", err)
		}
		if s.garbage(collects) == "" {
			break
		}
	}
	s.checkAll(s.bucket)
	if key := s.garbage(collects); key != "" {
		name, _ := keys.Parse(key)
		s.fail([]digest.Digest{name.Digest}, "%s is left, and nothing refers to it", key)
	}
	for u, err := range driver.ListUploads(s.t.Context(), s.bucket, driver.ListRequest{}) {
		s.fail(nil, "a multipart upload is left: %+v, %v", u, err)
	}
	s.checkDamage()
}

// checkAll looks for all that must be there, in a bucket.
func (s *sim) checkAll(b driver.Bucket) {
	r := s.fresh(b)
	defer r.close()
	for _, repo := range s.world.Repos {
		for _, tag := range s.world.Tags {
			for _, m := range s.world.All {
				if since, ok := s.Kept(storm.TagName(repo, tag), m.Digest); ok {
					s.whole(r, repo, tag, m, since)
				}
			}
		}
		for _, m := range s.world.All {
			if since, ok := s.Kept(storm.Revision(repo, m.Digest), m.Digest); ok && !s.untagged {
				s.whole(r, repo, m.Digest.String(), m, since)
			}
		}
	}
}

// whole fails unless r serves all of m, which was acknowledged since a time. nil is a process that has seen
// nothing yet.
func (s *sim) whole(r *replica, repo, ref string, m *storm.Thing, since time.Time) {
	if r == nil {
		r = s.fresh(s.bucket)
		defer r.close()
	}
	if about, err := s.read(r, repo, ref, m, since); err != nil {
		s.fail(about, "%s:%s is %s, acknowledged at %s, and is not whole: %v", repo, ref, m.Name, stamp(since), err)
	}
}

// read reads all of m but what clients have deleted since.
func (s *sim) read(r *replica, repo, ref string, m *storm.Thing, since time.Time) ([]digest.Digest, error) {
	got := s.askOf(s.t.Context(), r, http.MethodGet, manifestURL(repo, ref), accept, nil)
	if got.code != http.StatusOK || digest.FromString(got.body) != m.Digest {
		return []digest.Digest{m.Digest}, fmt.Errorf("it is %d, %.200s", got.code, got.body)
	}
	for _, d := range m.Layers {
		got := s.askOf(s.t.Context(), r, http.MethodGet, blobURL(repo, d), nil, nil)
		if got.code != http.StatusOK || got.body != s.world.Texts[d] {
			return []digest.Digest{d, m.Digest}, fmt.Errorf("layer %s: %d, %d bytes", d, got.code, len(got.body))
		}
	}
	for _, c := range m.Children {
		// An index of damaged images is taken in.
		if s.Deleted(storm.Revision(repo, c.Digest), since.Add(-lookups)) || s.halfThere(repo, c) {
			continue
		}
		if about, err := s.read(r, repo, c.Digest.String(), c, since); err != nil {
			return append(about, m.Digest), fmt.Errorf("child %s: %w", c.Name, err)
		}
	}
	return nil, nil
}

// checkCopy copies once more, and looks for all that must be there in the copy, after a collection there as well.
func (s *sim) checkCopy() {
	if err := s.copy(s.t.Context(), s.process("last copy")); err != nil {
		s.fail(nil, "a copy that is alone: %v", err)
		return
	}
	if s.backup.Features().Conds.Put == driver.AllConds {
		if err := s.collect(s.t.Context(), s.backup, false); err != nil {
			s.fail(nil, "the backup's collector, alone: %v", err)
		}
	}
	s.checkAll(s.backup)
}

// garbage is a key that nothing refers to, "" when there is none.
func (s *sim) garbage(collects bool) string {
	r := s.fresh(s.bucket)
	defer r.close()
	wanted, err := s.world.Wanted(s.t.Context(), s.bucket, keys, s.untagged, func(repo, tag string) (digest.Digest, bool) {
		got := s.askOf(s.t.Context(), r, http.MethodGet, manifestURL(repo, tag), accept, nil)
		return digest.FromString(got.body), got.code == http.StatusOK
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for e, err := range driver.List(s.t.Context(), s.bucket, driver.ListRequest{}) {
		if err != nil {
			s.t.Fatal(err)
		}
		name, ok := keys.Parse(e.Key)
		swept := strings.HasPrefix(e.Key, keys.Uploads()) || ok && name.Kind == layout.Upload
		if swept || collects && !wanted[e.Key] {
			return e.Key
		}
	}
	return ""
}

// checkDamage fails where a check finds damage that clients have not done.
func (s *sim) checkDamage() {
	_, err := check.Run(s.t.Context(), s.bucket, check.Options{OlderThan: 1, Digest: true, OnFinding: func(f check.Finding) {
		if !f.Kind.Damage() || f.Manifest == "" && s.hollow[f.Digest] {
			return
		}
		for _, tag := range f.Tags { // a push that was given up, or a deletion, may leave half of it
			if name := storm.TagName(f.Repository, tag); f.Kind == check.TagIncomplete && (s.Unsure(name) || s.Deleted(name, time.Time{})) {
				return
			}
		}
		for _, m := range s.world.All {
			known := m.Digest == f.Digest || m.Digest == f.Manifest
			if known && (s.Deleted(storm.Revision(f.Repository, m.Digest), time.Time{}) || s.halfThere(f.Repository, m)) {
				return
			}
		}
		s.fail([]digest.Digest{f.Digest, f.Manifest}, "damage: %+v", f)
	}})
	if err != nil && !errors.Is(err, check.ErrNoRegistry) {
		s.fail(nil, "check: %v", err)
	}
}
