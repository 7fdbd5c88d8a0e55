package drivertest

import (
	"cmp"
	"fmt"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// versionOf is what DeleteOptions.IfVersion takes for obj.
func versionOf(obj driver.Object) string { return cmp.Or(obj.Version, obj.ETag) }

func versionUnique(t *testing.T, s suite) {
	b := s.New(t)
	data := content("version", 1000)
	if put(t, b, "key", data).Version == "" {
		t.Log("this store tells no versions")
		for what, obj := range described(t, b, "key") {
			if obj.Version != "" {
				t.Errorf("Put tells no version, %s says %q", what, obj.Version)
			}
		}
		return
	}
	seen := map[string]string{}
	for i, w := range writes(b.Features()) {
		for round := range 3 {
			if round == 1 {
				noError(t, "Delete", b.Delete(t.Context(), "key", driver.DeleteOptions{}))
			}
			how := fmt.Sprintf("%s, write %d", w.name, 3*i+round)
			obj, err := w.do(t, b, "key", data, driver.Cond{})
			noError(t, how, err)
			if before, dup := seen[obj.Version]; dup || obj.Version == "" {
				t.Errorf("%s has the version %q, as had %s", how, obj.Version, before)
			}
			seen[obj.Version] = how
			for what, got := range described(t, b, "key") {
				if got.Version != obj.Version {
					t.Errorf("%s has the version %q, %s says %q", how, obj.Version, what, got.Version)
				}
			}
		}
	}
}

// described is the object at key, as each way to read it tells.
func described(t testing.TB, b driver.Bucket, key string) map[string]driver.Object {
	t.Helper()
	rd := must[*driver.Reader](t, "Open")(b.Open(t.Context(), key, driver.Range{Off: 1, Len: 2}, driver.ReadOptions{}))
	noError(t, "Close", rd.Close())
	return map[string]driver.Object{"Stat": must[driver.Object](t, "Stat")(b.Stat(t.Context(), key)), "Open": rd.Object}
}

func deleteVersion(t *testing.T, s suite) {
	b := s.New(t)
	remove := func(obj driver.Object) error {
		return b.Delete(t.Context(), obj.Key, driver.DeleteOptions{IfVersion: versionOf(obj)})
	}
	first := put(t, b, "dir/key é", []byte("first"))
	if !b.Features().Conds.Delete.Allows(ifMatch("x")) {
		wantKind(t, "Delete of a version", remove(driver.Object{Key: first.Key, ETag: first.ETag}), driver.Unsupported)
		wantContent(t, b, first.Key, []byte("first"))
		return
	}
	second := put(t, b, first.Key, []byte("other"))
	wantKind(t, "Delete of an older version", remove(first), driver.Mismatch)
	wantContent(t, b, first.Key, []byte("other"))
	noError(t, "Delete of the version that is there", remove(second))
	wantAbsent(t, b, first.Key)
	noError(t, "Delete of a version of an absent key", remove(second))
	if second.Version == "" {
		return
	}
	put(t, b, first.Key, []byte("other"))
	wantKind(t, "Delete of an older version with the same bytes", remove(second), driver.Mismatch)
	wantContent(t, b, first.Key, []byte("other"))
}

func deleteDeadline(t *testing.T, s suite) {
	b := s.New(t)
	obj := put(t, b, "dir/key é", []byte("data"))
	soon := time.Now().Add(time.Minute)
	if !b.Features().Conds.DeleteNotAfter {
		wantKind(t, "Delete with NotAfter", b.Delete(t.Context(), obj.Key, driver.DeleteOptions{NotAfter: soon}), driver.Unsupported)
		wantContent(t, b, obj.Key, []byte("data"))
		return
	}
	for _, at := range []time.Time{time.Now().Add(-time.Minute), time.Now()} {
		wantKind(t, "Delete after NotAfter", b.Delete(t.Context(), obj.Key, driver.DeleteOptions{NotAfter: at}), driver.Invalid)
		wantContent(t, b, obj.Key, []byte("data"))
	}
	o := driver.DeleteOptions{NotAfter: soon}
	if b.Features().Conds.Delete.Allows(ifMatch("x")) && !s.excepted(t, "delete-version") {
		next := put(t, b, obj.Key, []byte("next"))
		o.IfVersion = versionOf(obj)
		wantKind(t, "Delete of an older version in time", b.Delete(t.Context(), obj.Key, o), driver.Mismatch)
		wantContent(t, b, obj.Key, []byte("next"))
		o.IfVersion = versionOf(next)
	}
	noError(t, "Delete in time", b.Delete(t.Context(), obj.Key, o))
	wantAbsent(t, b, obj.Key)
	noError(t, "Delete of an absent key in time", b.Delete(t.Context(), obj.Key, o))
	noError(t, "Delete of a key that never was, in time", b.Delete(t.Context(), "never", driver.DeleteOptions{NotAfter: soon}))
}
