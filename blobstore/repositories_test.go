package blobstore_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/meter"
)

const repositories = "docker/registry/v2/repositories/"

func putEmpty(t testing.TB, b driver.Bucket, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if _, err := b.Put(t.Context(), repositories+key, io.NewSectionReader(strings.NewReader(""), 0, 0), driver.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// repository makes what a pushed image leaves.
func repository(t testing.TB, b driver.Bucket, name string, layers int) {
	t.Helper()
	for i := range layers {
		putEmpty(t, b, fmt.Sprintf("%s/_layers/sha256/%064x/link", name, i))
	}
	putEmpty(t, b, name+"/_manifests/revisions/sha256/0/link", name+"/_manifests/tags/latest/current/link", name+"/_uploads/1/session")
}

func namesAfter(t testing.TB, s *blobstore.Store, last string) []string {
	t.Helper()
	var names []string
	for name, err := range s.Repositories(t.Context(), last) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

// byComponent is distribution's order.
func byComponent(names []string) []string {
	slices.SortFunc(names, func(a, b string) int { return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/")) })
	return slices.Compact(names)
}

func TestRepositories(t *testing.T) {
	b := newBucket(t)
	s := newStore(t, b)
	if got := namesAfter(t, s, ""); len(got) != 0 {
		t.Errorf("of nothing: %q", got)
	}
	var want []string
	parts := []string{"a", "b", "a-b", "a.b", "a-b-c", "a_b", "a0", "ab", "a--b", "z"}
	r := rand.New(rand.NewPCG(1, 2))
	for range 120 {
		name := parts[r.IntN(len(parts))]
		for range r.IntN(3) {
			name += "/" + parts[r.IntN(len(parts))]
		}
		want = append(want, name)
		repository(t, b, name, 1)
	}
	want = byComponent(want)
	putEmpty(t, b, "only/_layers/sha256/0/link", "begun/_uploads/1/session", "stray")
	if got := namesAfter(t, s, ""); !slices.Equal(got, want) {
		t.Errorf("all:\n%q, want\n%q", got, want)
	}
	for i, last := range want {
		if got := namesAfter(t, s, last); !slices.Equal(got, want[i+1:]) {
			t.Fatalf("after %q:\n%q, want\n%q", last, got, want[i+1:])
		}
	}
	// Names that are not there divide them as well.
	for _, last := range []string{"0", "a-a", "a/a-b/c", "a.", "zz", "only"} {
		from := slices.IndexFunc(want, func(name string) bool {
			return slices.Compare(strings.Split(name, "/"), strings.Split(last, "/")) > 0
		})
		if from < 0 {
			from = len(want)
		}
		if got := namesAfter(t, s, last); !slices.Equal(got, want[from:]) {
			t.Errorf("after %q:\n%q, want\n%q", last, got, want[from:])
		}
	}
	for name := range s.Repositories(t.Context(), "") {
		if name != want[0] {
			t.Errorf("first: %q, want %q", name, want[0])
		}
		break
	}
}

// TestRepositoriesRequests has 200 small repositories, and some that are larger
// than a page.
func TestRepositoriesRequests(t *testing.T) {
	b := newBucket(t)
	for i := range 200 {
		repository(t, b, fmt.Sprintf("team/app%03d", i), 1)
	}
	for i := range 3 {
		repository(t, b, fmt.Sprintf("team/large%d", i), 2500)
	}
	var calls meter.Counter
	s := newStore(t, meter.Wrap(b, calls.Observe))
	calls.Reset()
	if got := namesAfter(t, s, ""); len(got) != 203 {
		t.Errorf("%d names, want 203", len(got))
	}
	if n := requests(&calls)[driver.OpList]; n > 5 {
		t.Errorf("%d requests for 800 keys of small repositories and 7,500 of large ones", n)
	}
	if got := namesAfter(t, s, "team/app197"); len(got) != 5 {
		t.Errorf("%d names, want 5", len(got))
	}
	if n := requests(&calls)[driver.OpList]; n > 8 {
		t.Errorf("%d requests for the last page", n)
	}
}
