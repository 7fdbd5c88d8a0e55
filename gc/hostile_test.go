package gc_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/file"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/gc"
	"github.com/blobdock/blobdock/internal/tombstone"
	"github.com/blobdock/blobdock/manifests"
)

func put(t *testing.T, b driver.Bucket, key, text string) {
	t.Helper()
	if _, err := b.Put(t.Context(), key, io.NewSectionReader(strings.NewReader(text), 0, int64(len(text))), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestStrangeTombstones finds below _gc/ what no collector of this version writes: nothing is
// deleted, and pushes of other digests go on.
func TestStrangeTombstones(t *testing.T) {
	onEach(t, func(t *testing.T, b driver.Bucket) {
		r := newReplica(t, b)
		m := r.image("app", "layer", "v1")
		r.image("app", "young")
		layer := m.References()[0].Digest
		other := digest.FromString("nobody has it")
		put(t, b, "other/root", "theirs")
		put(t, b, keys.Root+"/_leases/gc", "theirs")
		time.Sleep(day + time.Minute)
		of := func(key string, state tombstone.State) string {
			obj, err := b.Stat(t.Context(), key)
			if err != nil {
				obj = driver.Object{Key: key, ETag: `"1"`}
			}
			c := tombstone.Of(obj)
			c.State = state
			if !c.Unique {
				c.NotAfter = time.Now().Add(time.Minute).Truncate(time.Second).UTC()
			}
			p, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			return string(p)
		}
		before := list(t, b, "")
		for name, text := range map[string]string{
			"a later format":        strings.Replace(of(keys.Blob(layer), tombstone.Condemned), `"format":1`, `"format":2`, 1),
			"no format":             `{}`,
			"no JSON":               "garbage",
			"nothing":               "",
			"an unknown state":      of(keys.Blob(layer), "buried"),
			"a tag":                 of(keys.TagLink("app", "v1"), tombstone.Deleting),
			"a condemned tag":       of(keys.TagLink("app", "v1"), tombstone.Condemned),
			"a lease":               of(keys.Root+"/_leases/gc", tombstone.Deleting),
			"another root":          of("other/root", tombstone.Deleting),
			"another digest":        of(keys.Blob(m.Descriptor().Digest), tombstone.Deleting),
			"itself":                of(keys.Tombstones(other)+"X", tombstone.Deleting),
			"another digest's link": of(keys.LayerLink("app", layer), tombstone.Deleting),
		} {
			time.Sleep(2 * time.Second) // a key may be written once a second
			at := keys.Tombstones(other) + "X"
			put(t, b, at, text)
			s, err := runGC(t.Context(), b, gc.Options{Log: slog.New(slog.DiscardHandler)})
			if !errors.Is(err, driver.Corrupt) || !strings.Contains(err.Error(), at) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %+v, %v, want one sentence that names the tombstone", name, s, err)
			}
			if _, err := newReplica(t, b).blobs("app").Put(t.Context(), "", []byte("nobody has it")); err == nil {
				t.Errorf("%s: a push of what the tombstone is about: want an error", name)
			}
			if err := newReplica(t, b).repository("app").Push(t.Context(), m, "v2"); err != nil {
				t.Errorf("%s: a push of others: %v", name, err)
			}
			if err := newReplica(t, b).repository("app").Tags().Untag(t.Context(), "v2"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			time.Sleep(2 * time.Second)
			if err := b.Delete(t.Context(), at, driver.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if after := list(t, b, ""); strings.Join(after, "\n") != strings.Join(before, "\n") {
			t.Errorf("there were\n%s\nand are\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
		}
		// Keys that are no tombstone's end a run as well: nobody knows what they say.
		put(t, b, keys.AllTombstones()+"sha256/readme", "garbage")
		if _, err := runGC(t.Context(), b, gc.Options{Log: slog.New(slog.DiscardHandler)}); !errors.Is(err, driver.Corrupt) {
			t.Errorf("garbage below _gc/: %v", err)
		}
		r.blob("app", v1.MediaTypeImageLayerGzip, "nobody has it")
		if err := whole(t, b, "app", "v1"); err != nil {
			t.Error(err)
		}
	})
}

// short lists three keys a page, so that listings have a middle.
type short struct{ driver.Bucket }

func (s short) ListPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Entry], error) {
	q.Limit = 3
	return s.Bucket.ListPage(ctx, q)
}

// TestEachCall has each call of a collector fail, lose its reply, or take hours, in which a client
// pushes what is being collected. What is there stays whole, and the next runs end what was begun.
func TestEachCall(t *testing.T) {
	const hours = 3 * time.Hour
	injected := errors.New("injected")
	ways := map[string]func(ctx context.Context, c *driver.Call, next func(context.Context) error, push func()) error{
		"fails": func(context.Context, *driver.Call, func(context.Context) error, func()) error { return injected },
		"loses its reply": func(ctx context.Context, c *driver.Call, next func(context.Context) error, _ func()) error {
			if err := next(ctx); err != nil {
				return err
			}
			return &driver.Error{Op: c.Op, Key: c.Key, OutcomeUnknown: c.Op.Changes(), Err: injected}
		},
		"comes late": func(ctx context.Context, _ *driver.Call, next func(context.Context) error, push func()) error {
			time.Sleep(hours)
			push()
			time.Sleep(hours)
			return next(ctx)
		},
		"is answered late": func(ctx context.Context, _ *driver.Call, next func(context.Context) error, push func()) error {
			err := next(ctx)
			time.Sleep(hours)
			push()
			time.Sleep(hours)
			return err
		},
		"is sent when the client has just asked": func(ctx context.Context, _ *driver.Call, next func(context.Context) error, push func()) error {
			go push()
			time.Sleep(time.Second)
			return next(ctx)
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			for store, open := range stores {
				for n, more := 1, true; more && !t.Failed(); n++ {
					synctest.Test(t, func(t *testing.T) {
						more = eachCall(t, short{open()}, n, way)
						if t.Failed() {
							t.Logf("call %d, %s", n, store)
						}
					})
				}
			}
		})
	}
}

// eachCall has something done to call n, and reports whether there was one.
func eachCall(t *testing.T, b driver.Bucket, n int, way func(context.Context, *driver.Call, func(context.Context) error, func()) error) bool {
	r := newReplica(t, b)
	defer r.store.Close()
	r.image("team/app", "kept", "v1")
	m := r.image("app", "layer", "v1")
	r.image("app", "other", "v2")
	r.delete("app", m)
	time.Sleep(day + time.Minute)
	pushed := make(chan struct{})
	push := func() {
		defer close(pushed)
		// A client that asks first, takes its time, and sends what is missing.
		layer := m.References()[0].Digest
		if _, err := r.blobs("app").Lookup(head(t.Context()), layer); errors.Is(err, distribution.ErrBlobUnknown) {
			r.blob("app", v1.MediaTypeImageLayerGzip, "layer")
		} else if err != nil {
			t.Errorf("HEAD: %v", err)
		}
		time.Sleep(30 * time.Minute)
		if err := r.repository("app").Push(t.Context(), m, "v1"); err != nil {
			t.Errorf("push: %v", err)
		}
	}
	var calls atomic.Int64
	faulty := driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if calls.Add(1) != int64(n) {
			return next(ctx)
		}
		return way(ctx, c, next, push)
	})
	_, err := runGC(t.Context(), faulty, gc.Options{Concurrency: 1, Log: slog.New(slog.DiscardHandler)})
	there := calls.Load() >= int64(n)
	time.Sleep(time.Hour) // a push that is under way
	wanted := false
	select {
	case <-pushed:
		wanted = true
	default:
	}
	for range 3 {
		time.Sleep(day + time.Minute)
		if s, err := runGC(t.Context(), b, gc.Options{Log: slog.New(slog.DiscardHandler)}); err != nil {
			t.Errorf("another run: %+v, %v", s, err)
		}
	}
	if lost := whole(t, b, "team/app", "v1"); lost != nil {
		t.Errorf("after %v: %v", err, lost)
	}
	left := list(t, b, "")
	if wanted {
		if lost := whole(t, b, "app", "v1"); lost != nil {
			t.Errorf("what was pushed, after %v: %v", err, lost)
		}
	} else if slices.ContainsFunc(left, func(key string) bool { return strings.Contains(key, m.Descriptor().Digest.Encoded()) }) {
		t.Errorf("after %v, left are %q", err, left)
	}
	if tombs := list(t, b, keys.AllTombstones()); len(tombs) > 0 {
		t.Errorf("after %v there are tombstones: %q", err, tombs)
	}
	return there
}

// TestNoConditions refuses a store without conditional writes, before it reads anything.
func TestNoConditions(t *testing.T) {
	for _, name := range []string{"plain", "ceph"} {
		b := driver.Wrap(mem.NewWith(mem.Imitations()[name]), func(_ context.Context, c *driver.Call, _ func(context.Context) error) error {
			t.Errorf("%s: %s %s", name, c.Op, c.Key)
			return nil
		})
		if _, err := runGC(t.Context(), b, gc.Options{}); !errors.Is(err, gc.ErrStore) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Without versions, a deletion that the store may execute at any time is none that ends.
	synctest.Test(t, func(t *testing.T) {
		b := driver.WithFeatures(mem.NewWith(mem.Imitations()["minio"]), func(f *driver.Features) { f.Conds.DeleteNotAfter = false })
		newReplica(t, b).blob("app", "", "unused")
		time.Sleep(day + time.Minute)
		if _, err := runGC(t.Context(), b, gc.Options{Log: slog.New(slog.DiscardHandler)}); !errors.Is(err, gc.ErrStore) {
			t.Errorf("no NotAfter: %v", err)
		}
		if left := list(t, b, keys.AllTombstones()); len(left) > 0 {
			t.Errorf("tombstones: %q", left)
		}
	})
}

// TestMalformed keeps what a repository has while something in it can't be understood, and collects
// in others.
func TestMalformed(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, b driver.Bucket){
		"a manifest that is no JSON": func(t *testing.T, b driver.Bucket) {
			d := digest.FromString("garbage")
			put(t, b, keys.Blob(d), "garbage")
			put(t, b, keys.RevisionLink("app", d), d.String())
		},
		"a manifest of another digest": func(t *testing.T, b driver.Bucket) {
			d := digest.FromString("what was here")
			put(t, b, keys.Blob(d), "{}")
			put(t, b, keys.RevisionLink("app", d), d.String())
		},
		"a manifest of digests that are none": func(t *testing.T, b driver.Bucket) {
			text := `{"layers":[{"digest":"sha256:../../.."},{"digest":""}],"manifests":[{"digest":"x"}]}`
			d := digest.FromString(text)
			put(t, b, keys.Blob(d), text)
			put(t, b, keys.RevisionLink("app", d), d.String())
		},
		"a manifest that is too long": func(t *testing.T, b driver.Bucket) {
			text := `{"layers":[` + strings.Repeat(" ", manifests.MaxSize) + `]}`
			d := digest.FromString(text)
			put(t, b, keys.Blob(d), text)
			put(t, b, keys.RevisionLink("app", d), d.String())
		},
		"a manifest whose layers are an object": func(t *testing.T, b driver.Bucket) {
			text := `{"layers":{"digest":"` + digest.FromString("unused").String() + `"}}`
			d := digest.FromString(text)
			put(t, b, keys.Blob(d), text)
			put(t, b, keys.RevisionLink("app", d), d.String())
		},
		"a tag of nothing": func(t *testing.T, b driver.Bucket) { put(t, b, keys.TagLink("app", "v2"), "") },
		"a tag of too much": func(t *testing.T, b driver.Bucket) {
			put(t, b, keys.TagLink("app", "v2"), strings.Repeat("sha256:", 1000))
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, b driver.Bucket) {
				r := newReplica(t, b)
				r.image("app", "layer", "v1")
				unused, elsewhere := r.blob("app", "", "unused"), r.blob("other", "", "unused elsewhere")
				damage(t, b)
				time.Sleep(day + time.Minute)
				var faults []string
				for range 2 {
					s := collect(t, b, gc.Options{Untagged: true, OnFault: func(key, detail string) { faults = append(faults, key+": "+detail) }})
					if s.Faults != 1 {
						t.Errorf("faults %q, want one", faults)
					}
					time.Sleep(day)
				}
				if err := whole(t, b, "app", "v1"); err != nil {
					t.Error(err)
				}
				for _, key := range []string{keys.Blob(unused.Digest), keys.LayerLink("app", unused.Digest)} {
					if _, err := b.Stat(t.Context(), key); err != nil {
						t.Errorf("it may be what the repository needs: %v", err)
					}
				}
				if _, err := b.Stat(t.Context(), keys.Blob(elsewhere.Digest)); !errors.Is(err, driver.NotFound) {
					t.Errorf("unused in another repository: %v", err)
				}
			})
		})
	}
}

// TestMany collects more than a run may condemn.
func TestMany(t *testing.T) {
	onEach(t, func(t *testing.T, b driver.Bucket) {
		r := newReplica(t, b)
		r.image("app", "kept", "v1")
		const n = 1200 // more than a page, with their links two
		for i := range n {
			d := digest.FromString(strconv.Itoa(i))
			put(t, b, keys.Blob(d), strconv.Itoa(i))
			put(t, b, keys.LayerLink("app", d), d.String())
		}
		time.Sleep(day + time.Minute)
		var left, deleted []int64
		for range 3 {
			s := collect(t, b, gc.Options{Limit: 1000})
			left, deleted = append(left, s.Left), append(deleted, s.Deleted)
		}
		if !slices.Equal(left, []int64{1400, 400, 0}) || !slices.Equal(deleted, []int64{1000, 1000, 400}) {
			t.Errorf("deleted %v, left %v", deleted, left)
		}
		if err := whole(t, b, "app", "v1"); err != nil {
			t.Error(err)
		}
	})
}

// TestFile collects in a directory, whose times are real.
func TestFile(t *testing.T) {
	b, err := file.New(t.TempDir(), file.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	r := newReplica(t, b)
	defer r.store.Close()
	r.image("app", "kept", "v1")
	gone := r.image("app", "gone", "v2")
	r.delete("app", gone)
	time.Sleep(50 * time.Millisecond)
	for range 2 {
		s, err := runGC(t.Context(), b, gc.Options{OlderThan: 40 * time.Millisecond, Wait: 40 * time.Millisecond})
		t.Logf("%+v", s)
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := whole(t, b, "app", "v1"); err != nil {
		t.Error(err)
	}
	for _, key := range list(t, b, "") {
		if strings.Contains(key, gone.Descriptor().Digest.Encoded()) || strings.Contains(key, "_gc/") {
			t.Errorf("%s is left", key)
		}
	}
}

// TestUnreadable can't read a kind of object, however often it tries: nothing is deleted.
func TestUnreadable(t *testing.T) {
	for name, suffix := range map[string]string{"tags": "/current/link", "manifests": "/data"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mem.New() // whose listings don't tell what a link holds
				newReplica(t, b).image("app", "layer", "v1")
				time.Sleep(day + time.Minute)
				injected := errors.New("injected")
				broken := driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
					if c.Op == driver.OpOpen && strings.HasSuffix(c.Key, suffix) {
						return injected
					}
					return next(ctx)
				})
				for range 2 {
					s, err := runGC(t.Context(), broken, gc.Options{Untagged: true, Log: slog.New(slog.DiscardHandler)})
					if !errors.Is(err, injected) || s.Unused+s.Deleted > 0 {
						t.Errorf("%+v, %v, want the error and nothing else", s, err)
					}
				}
				if err := whole(t, b, "app", "v1"); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// condemned is a tombstone of an object, as an earlier run has left it.
func condemned(t *testing.T, b driver.Bucket, d digest.Digest, key string) tombstone.Stored {
	t.Helper()
	obj, err := b.Stat(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := tombstone.Create(t.Context(), b, keys, d, tombstone.Of(obj))
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second) // a key may be written once a second
	return s
}

// before has something done once, before the first change of a tombstone.
func before(b driver.Bucket, do func()) driver.Bucket {
	var once sync.Once
	return driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if c.Op.Changes() && strings.HasPrefix(c.Key, keys.AllTombstones()) {
			once.Do(do)
		}
		return next(ctx)
	})
}

// TestRaces has a collector begin to delete when another actor has just read the tombstone.
func TestRaces(t *testing.T) {
	setup := func(t *testing.T, b driver.Bucket) (digest.Digest, driver.Bucket, string) {
		m := newReplica(t, b).image("app", "layer", "v1")
		d := m.References()[0].Digest
		s := condemned(t, b, d, keys.Blob(d))
		return d, before(b, func() {
			if err := s.Begin(t.Context(), b); err != nil {
				t.Error(err)
			}
			time.Sleep(2 * time.Second)
		}), s.At
	}
	t.Run("HEAD", func(t *testing.T) {
		onEach(t, func(t *testing.T, b driver.Bucket) {
			d, racing, _ := setup(t, b)
			if _, err := newReplica(t, racing).blobs("app").Lookup(head(t.Context()), d); !errors.Is(err, distribution.ErrBlobUnknown) {
				t.Errorf("HEAD of what is being deleted: %v", err)
			}
		})
	})
	t.Run("collector", func(t *testing.T) {
		onEach(t, func(t *testing.T, b driver.Bucket) {
			_, racing, at := setup(t, b)
			collect(t, racing, gc.Options{}) // which finds that the layer is needed
			if s, err := tombstone.Read(t.Context(), b, at); err != nil || s.State != tombstone.Deleting {
				t.Errorf("the tombstone of what is being deleted: %+v, %v", s, err)
			}
		})
	})
}

// TestPutAnew puts an object anew during the wait, whose tombstone names the old one, or both where
// there are no versions.
func TestPutAnew(t *testing.T) {
	onEach(t, func(t *testing.T, b driver.Bucket) {
		d := newReplica(t, b).blob("app", "", "layer").Digest
		time.Sleep(day + time.Minute)
		done := make(chan gc.Summary)
		go func() { done <- collect(t, b, gc.Options{}) }()
		time.Sleep(50 * time.Minute)
		for _, key := range []string{keys.Blob(d), keys.LayerLink("app", d)} {
			if err := b.Delete(t.Context(), key, driver.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(2 * time.Second)
		put(t, b, keys.Blob(d), "layer")
		put(t, b, keys.LayerLink("app", d), d.String())
		if got := <-done; got.Rescued != 2 || got.Deleted != 0 {
			t.Errorf("%+v, want both rescued", got)
		}
	})
}
