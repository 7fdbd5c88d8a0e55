package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/meter"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/transfer"
)

func TestAll(t *testing.T) {
	src, dst := registry(t), newBucket()
	want := contents(t, src)
	dry, _, err := copies(t, src, dst, transfer.Options{DryRun: true})
	if err != nil || len(contents(t, dst)) > 0 {
		t.Errorf("dry run: %v, wrote %d objects", err, len(contents(t, dst)))
	}
	first, problems, err := copies(t, src, dst, transfer.Options{})
	if err != nil || len(problems) > 0 {
		t.Fatalf("Copy: %v, %v", err, problems)
	}
	wantSame(t, contents(t, dst), want)
	wantNoUploads(t, dst)
	if dry != first {
		t.Errorf("dry run: %+v, copy: %+v", dry, first)
	}
	if n := first.Blobs + first.Links + first.Tags; n != int64(len(want)) {
		t.Errorf("%+v: %d, want %d", first, n, len(want))
	}

	// Once more: nothing is written, and only tags are read.
	var read, written meter.Counter
	again, problems, err := copies(t, meter.Wrap(src, read.Observe), meter.Wrap(dst, written.Observe), transfer.Options{})
	if err != nil || len(problems) > 0 {
		t.Fatalf("again: %v, %v", err, problems)
	}
	there := transfer.Summary{BlobsThere: first.Blobs, BytesThere: first.Bytes, LinksThere: first.Links, TagsThere: first.Tags}
	if diff := cmp.Diff(there, again); diff != "" {
		t.Errorf("again (-want +got):\n%s", diff)
	}
	// In the destination, the tombstones of garbage collection are listed, too.
	for lists, c := range map[int]*meter.Counter{2: &read, 3: &written} {
		if want := fmt.Sprintf("list %d\nopen %d\n", lists, first.Tags); c.String() != want {
			t.Errorf("again made these calls:\n%swant\n%s", c, want)
		}
	}
}

// TestOrder looks at the destination after every change, as a client might.
func TestOrder(t *testing.T) {
	src := registry(t)
	// A tag with more of a past than a batch has links.
	p := &pushes{TB: t, bucket: src, seed: 1000}
	const many = 2100
	var last digest.Digest // in the order of keys
	for i := range many {
		m := p.manifest("many", v1.MediaTypeImageManifest, map[string]int{"schemaVersion": 2, "number": i})
		p.tag("many", "latest", m.Digest)
		p.tag("many", fmt.Sprint("v", i), m.Digest)
		last = max(last, m.Digest)
	}
	p.tag("many", "latest", last)
	var mu sync.Mutex
	state, looked := make(map[string]string), 0
	dst := newBucket()
	watched := driver.Wrap(dst, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if err := next(ctx); err != nil || !c.Op.Changes() {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		key := c.Key
		n, ok := l.Parse(key)
		if !ok || n.Kind == layout.Upload {
			return nil
		}
		value := "" // of a blob
		if n.Kind != layout.Blob {
			b := make([]byte, c.Body.Size())
			_, _ = c.Body.ReadAt(b, 0)
			value = string(b)
			d := digest.Digest(value)
			if _, ok := state[l.Blob(d)]; !ok {
				t.Errorf("%s comes before its blob", key)
			}
			if _, ok := state[l.RevisionLink(n.Repo, d)]; !ok && (n.Kind == layout.TagLink || n.Kind == layout.TagIndexLink) {
				t.Errorf("%s comes before its manifest", key)
			}
			if _, ok := state[l.TagIndexLink(n.Repo, n.Tag, d)]; !ok && n.Kind == layout.TagLink {
				t.Errorf("%s comes before its index", key)
			}
		}
		state[key] = value
		looked++
		return nil
	})
	if _, problems, err := copies(t, src, watched, transfer.Options{}); err != nil || len(problems) > 0 {
		t.Fatalf("Copy: %v, %v", err, problems)
	}
	wantSame(t, contents(t, dst), contents(t, src))
	if looked < 4*many {
		t.Errorf("looked at %d changes", looked)
	}
}

// TestFaults lets every call to either store fail, before and after it was carried
// out and in mid-body. Whatever happens, what is in the destination is right, and
// another copy completes it.
func TestFaults(t *testing.T) {
	source := newBucket()
	p := &pushes{TB: t, bucket: source}
	one := p.image("a", nil, 100, 3000)
	p.tag("a", "v1", one.Digest)
	p.refer("a", one.Digest, p.image("a", &one, 10))
	want := contents(t, source)
	all := transfer.Options{Concurrency: 1}
	tagged := transfer.Options{Concurrency: 1, Repositories: []string{"a"}, Tags: []string{"v1"}}
	for name, o := range map[string]transfer.Options{"all": all, "tagged": tagged} {
		judge := func(t *testing.T, dst driver.Bucket, complete bool) {
			t.Helper()
			got := contents(t, dst)
			wantConsistent(t, got)
			if complete {
				wantSame(t, got, want)
			}
			if _, _, err := copies(t, source, dst, o); err != nil {
				t.Errorf("copied again: %v", err)
			}
			wantSame(t, contents(t, dst), want)
			wantNoUploads(t, dst)
		}
		t.Run(name+"/destination", func(t *testing.T) {
			fault.EachPoint(t, newBucket, func(dst driver.Bucket) error {
				_, _, err := copies(t, source, dst, o)
				return err
			}, func(t *testing.T, dst driver.Bucket, _ fault.Point, err error) { judge(t, dst, err == nil) })
		})
		t.Run(name+"/source", func(t *testing.T) {
			var dst driver.Bucket
			fault.EachPoint(t, func() driver.Bucket { dst = newBucket(); return source }, func(src driver.Bucket) error {
				_, _, err := copies(t, src, dst, o)
				return err
			}, func(t *testing.T, _ driver.Bucket, _ fault.Point, err error) { judge(t, dst, err == nil) })
		})
	}
}

// TestStopped ends a copy in its midst. The next one moves only what is left.
func TestStopped(t *testing.T) {
	src, dst := registry(t), newBucket()
	want := contents(t, src)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last int64
	first, err := transfer.Copy(ctx, newStore(t, src), newStore(t, dst), transfer.Options{Concurrency: 2, Progress: func(done, _ int64) {
		if last = done; done > 12_000 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || first.Bytes == 0 || first.Bytes > last {
		t.Errorf("Copy: %v, %+v, progress %d", err, first, last)
	}
	wantConsistent(t, contents(t, dst))
	var read meter.Counter
	var done, total int64
	second, err := transfer.Copy(t.Context(), newStore(t, meter.Wrap(src, read.Observe)), newStore(t, dst), transfer.Options{
		Progress: func(d, t int64) { done, total = d, t },
	})
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, contents(t, dst), want)
	wantNoUploads(t, dst)
	if second.BytesThere != first.Bytes {
		t.Errorf("second copy found %d bytes, the first copied %d", second.BytesThere, first.Bytes)
	}
	if done != second.Bytes || total != second.Bytes {
		t.Errorf("progress ended at %d of %d, want %d of them", done, total, second.Bytes)
	}
	// A link and a tag are 71 bytes, or for sha512 135.
	if links := read.Total().Received - second.Bytes; links < 0 || links > 135*(second.Links+second.Tags+second.TagsThere) {
		t.Errorf("second copy read %d bytes for %+v", read.Total().Received, second)
	}
}

func TestCorrupt(t *testing.T) {
	for name, tt := range map[string]struct {
		content string
		options transfer.Options
	}{
		"other content":   {strings.Repeat("x", 5000), transfer.Options{}},
		"other size":      {"short", transfer.Options{}},
		"no bytes":        {"", transfer.Options{}},
		"of a tag":        {strings.Repeat("x", 5000), transfer.Options{Repositories: []string{"app"}, Tags: []string{"*"}}},
		"of repository":   {strings.Repeat("x", 5000), transfer.Options{Repositories: []string{"app"}}},
		"empty, of a tag": {"", transfer.Options{Repositories: []string{"app"}, Tags: []string{"*"}}},
	} {
		src, dst := newBucket(), newBucket()
		p := &pushes{TB: t, bucket: src}
		good, bad := p.image("app", nil, 100, 4000), p.random("app", 5000)
		p.tag("app", "good", good.Digest)
		broken := p.manifest("app", v1.MediaTypeImageManifest, v1.Manifest{Config: p.random("app", 10), Layers: []v1.Descriptor{bad}})
		p.tag("app", "broken", broken.Digest)
		write(t, src, l.Blob(bad.Digest), []byte(tt.content))

		sum, problems, err := copies(t, src, dst, tt.options)
		if !errors.Is(err, transfer.ErrIncomplete) || sum.LeftOut == 0 {
			t.Errorf("%s: %v, %+v", name, err, sum)
		}
		if len(problems) == 0 || problems[0].Kind != transfer.Corrupt || problems[0].Key != l.Blob(bad.Digest) {
			t.Errorf("%s: problems %v", name, problems)
		}
		got := contents(t, dst)
		wantConsistent(t, got)
		for _, key := range []string{l.Blob(bad.Digest), l.LayerLink("app", bad.Digest)} {
			if _, ok := got[key]; ok {
				t.Errorf("%s: %s is copied", name, key)
			}
		}
		if _, ok := got[l.TagLink("app", "broken")]; ok && len(tt.options.Tags) > 0 {
			t.Errorf("%s: a tag is copied, and not its layer", name)
		}
		if got[l.TagLink("app", "good")] != good.Digest.String() {
			t.Errorf("%s: what is good is not copied", name)
		}
		wantNoUploads(t, dst)
	}
}

// TestEmptyOnBothSides takes a blob that a broken upload left for none, though both
// have it and of the same size.
func TestEmptyOnBothSides(t *testing.T) {
	for _, o := range []transfer.Options{{}, {Repositories: []string{"a"}}, {Repositories: []string{"a"}, Tags: []string{"v1"}}} {
		src, dst := newBucket(), newBucket()
		p := &pushes{TB: t, bucket: src}
		layer := p.random("a", 100)
		p.tag("a", "v1", p.manifest("a", v1.MediaTypeImageManifest, v1.Manifest{Config: layer}).Digest)
		write(t, src, l.Blob(layer.Digest), nil)
		write(t, dst, l.Blob(layer.Digest), nil)
		sum, problems, err := copies(t, src, dst, o)
		if !errors.Is(err, transfer.ErrIncomplete) || sum.BlobsThere > 0 || len(problems) == 0 || problems[0].Kind != transfer.Corrupt {
			t.Errorf("%+v: %v, %+v, %v", o, err, sum, problems)
		}
		if _, ok := contents(t, dst)[l.LayerLink("a", layer.Digest)]; ok {
			t.Errorf("%+v: linked", o)
		}
	}
}

func TestDestinationHasOther(t *testing.T) {
	src := registry(t)
	want := contents(t, src)
	var key string
	for key = range want {
		if n, _ := l.Parse(key); n.Kind == layout.Blob && len(want[key]) == 5000 {
			break
		}
	}
	for _, tt := range []struct {
		name, there string
		verify      bool
		replaced    int
	}{
		{"wrong size", "short", false, 1},
		{"no bytes", "", false, 1},
		{"wrong content", strings.Repeat("x", len(want[key])), true, 1},
		{"right content", want[key], true, 0},
	} {
		dst := newBucket()
		write(t, dst, key, []byte(tt.there))
		write(t, dst, l.Blob(digest.FromString("its own")), []byte("its own"))
		sum, problems, err := copies(t, src, dst, transfer.Options{Verify: tt.verify})
		if err != nil || len(problems) != tt.replaced || int(sum.Remarks) != tt.replaced {
			t.Errorf("%s: %v, %+v, %v", tt.name, err, sum, problems)
		}
		for _, p := range problems {
			if p.Kind != transfer.Replaced || p.Key != key {
				t.Errorf("%s: %+v", tt.name, p)
			}
		}
		whole := maps.Clone(want)
		whole[l.Blob(digest.FromString("its own"))] = "its own"
		wantSame(t, contents(t, dst), whole)
	}
}

func TestStrangeKeys(t *testing.T) {
	src, dst := registry(t), newBucket()
	want := contents(t, src)
	gone := digest.FromString("collected as garbage")
	strange := map[string]transfer.Kind{
		l.Root + "/blobs/sha256/note.txt":             transfer.Unknown,
		l.Repositories() + "a/_manifests/referrers/x": transfer.Unknown,
		l.LayerLink("a", gone):                        transfer.Dangling,
		l.TagLink("a", "gone"):                        transfer.LeftOut,
		l.RevisionLink("a-b", gone):                   transfer.Dangling,
		l.LayerLink("a", digest.FromString("bad")):    transfer.Corrupt,
		l.TagLink("a", "bad"):                         transfer.Corrupt,
	}
	for key, kind := range strange {
		text := gone.String()
		if kind == transfer.Corrupt {
			text = "not a digest"
		}
		write(t, src, key, []byte(text))
	}
	id := l.Upload("a", "0b9a2f6e-9b0c-4a51-8a4d-0b1d2b8f2c11")
	write(t, src, id+"/startedat", []byte("now"))
	write(t, src, id+"/data", []byte("some"))
	sum, problems, err := copies(t, src, dst, transfer.Options{})
	if !errors.Is(err, transfer.ErrIncomplete) || sum.LeftOut != 3 || sum.Incomplete != 2 || sum.Remarks != 5 {
		t.Errorf("Copy: %v, %+v", err, sum)
	}
	got := make(map[string]transfer.Kind)
	for _, p := range problems {
		got[p.Key] = p.Kind
	}
	if diff := cmp.Diff(strange, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	wantSame(t, contents(t, dst), want)
	for e, err := range driver.List(t.Context(), dst, driver.ListRequest{}) {
		if err != nil || strings.Contains(e.Key, "_uploads") {
			t.Errorf("copied %s, %v", e.Key, err)
		}
	}
}

// TestGivesUp ends when nothing can be written.
func TestGivesUp(t *testing.T) {
	src := newBucket()
	p := &pushes{TB: t, bucket: src}
	for range 500 {
		p.random("a", 10)
	}
	dst := fault.Wrap(newBucket(), fault.Script{{Op: driver.OpPut, Kind: driver.Denied}})
	sum, problems, err := copies(t, src, dst, transfer.Options{Concurrency: 4})
	if !errors.Is(err, driver.Denied) || len(problems) > 60 || sum.Blobs > 0 {
		t.Errorf("Copy: %v, %+v after %d problems", err, sum, len(problems))
	}
}

// TestMoves has a registry in use: once the layers of a repository are listed, a
// tag of it becomes another image. It is copied with all that it needs.
func TestMoves(t *testing.T) {
	src, dst := registry(t), newBucket()
	var once sync.Once
	var now v1.Descriptor
	used := driver.Wrap(src, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		err := next(ctx)
		if c.Op == driver.OpList && c.Key == l.Repositories() {
			once.Do(func() {
				p := &pushes{TB: t, bucket: src, seed: 5000}
				now = p.index("a", p.image("a", nil, 3000))
				p.tag("a", "v1", now.Digest)
			})
		}
		return err
	})
	if _, problems, err := copies(t, used, dst, transfer.Options{}); err != nil || len(problems) > 0 {
		t.Fatalf("Copy: %v, %v", err, problems)
	}
	got := contents(t, dst)
	wantConsistent(t, got)
	if tag := got[l.TagLink("a", "v1")]; tag != now.Digest.String() {
		t.Errorf("tag is %s, want %s", tag, now.Digest)
	}
	if _, _, err := copies(t, src, dst, transfer.Options{}); err != nil {
		t.Fatal(err)
	}
	want := contents(t, src)
	wantSame(t, contents(t, dst), want)
	delete(want, l.TagIndexLink("a", "v1", now.Digest)) // comes with the next copy only
	wantSame(t, got, want)
}

func TestOtherRoot(t *testing.T) {
	src, dst := registry(t), newBucket()
	store, err := blobstore.New(dst, blobstore.Options{Root: "elsewhere", PartSize: 2 << 10})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := transfer.Copy(t.Context(), newStore(t, src), store, transfer.Options{}); err != nil {
		t.Fatal(err)
	}
	want := make(map[string]string)
	for key, value := range contents(t, src) {
		want["elsewhere"+strings.TrimPrefix(key, l.Root)] = value
	}
	wantSame(t, contents(t, dst), want)
}

func TestRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		options transfer.Options
		want    error
	}{
		"nothing there":      {transfer.Options{}, transfer.ErrEmpty},
		"no such repository": {transfer.Options{Repositories: []string{"absent"}}, transfer.ErrIncomplete},
		"no such tag":        {transfer.Options{Repositories: []string{"absent"}, Tags: []string{"v1"}}, transfer.ErrIncomplete},
		"bad pattern":        {transfer.Options{Repositories: []string{"a/**/b"}}, driver.Invalid},
		"no name":            {transfer.Options{Repositories: []string{""}}, driver.Invalid},
		"bad tag":            {transfer.Options{Repositories: []string{"a"}, Tags: []string{"[a"}}, driver.Invalid},
		"tags alone":         {transfer.Options{Tags: []string{"v1"}}, driver.Invalid},
		"concurrency":        {transfer.Options{Concurrency: -1}, driver.Invalid},
	} {
		if _, _, err := copies(t, newBucket(), newBucket(), tt.options); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

// sizeless lists large blobs as Swift lists those in segments: without their size.
type sizeless struct{ driver.Bucket }

func (b sizeless) ListPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Entry], error) {
	page, err := b.Bucket.ListPage(ctx, q)
	for i, e := range page.Items {
		if strings.HasSuffix(e.Key, "/data") && e.Size > 1000 {
			page.Items[i].Size = 0
		}
	}
	return page, err
}

// TestSizesNotListed copies blobs whose size the source does not list, once.
func TestSizesNotListed(t *testing.T) {
	for name, o := range map[string]transfer.Options{
		"all":        {},
		"repository": {Repositories: []string{"app"}},
		"tags":       {Repositories: []string{"app"}, Tags: []string{"*"}},
	} {
		src, dst := newBucket(), newBucket()
		p := &pushes{TB: t, bucket: src}
		p.tag("app", "v1", p.image("app", nil, 100, 4000, 70000).Digest)
		for round := range 2 {
			sum, problems, err := copies(t, sizeless{src}, dst, o)
			if err != nil || len(problems) > 0 {
				t.Errorf("%s: %v, %v", name, problems, err)
			}
			if round > 0 && sum.Blobs > 0 {
				t.Errorf("%s: %d blobs are copied again", name, sum.Blobs)
			}
		}
		if got, want := contents(t, dst), contents(t, src); !maps.Equal(got, want) {
			t.Errorf("%s: %d objects are copied, want %d", name, len(got), len(want))
		}
	}
}
