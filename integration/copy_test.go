package integration_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	ociv1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/laws"
)

// migrated is what a registry has that is copied from store to store.
type migrated struct {
	images        map[string]ociv1.Hash // by repository and tag
	index         ociv1.Hash
	signed, signs ociv1.Hash
	blobs         []content
}

// migrating fills a registry with images, an index, something that refers to an
// image, and so many large blobs.
func migrating(t *testing.T, base string, count int, size int64) migrated {
	t.Helper()
	m := migrated{images: make(map[string]ociv1.Hash)}
	for _, at := range []string{"team/app:v1", "team/app:v2", "other:latest"} {
		img := randomImage(t, 3*mib, 2)
		writeImage(t, base, at, img)
		m.images[at] = hashOf(t, img)
	}
	index, err := random.Index(100*kib, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(reference(t, base, "team/app:all"), index, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	m.index = hashOf(t, index)

	m.signed = m.images["team/app:v1"]
	m.signs = sign(t, base, "team/app:v1")

	for i := range count {
		c := content{size + int64(i), uint64(i)}
		if err := single(t, base, fmt.Sprintf("large/%d", i%3), c); err != nil {
			t.Fatal(err)
		}
		m.blobs = append(m.blobs, c)
	}
	return m
}

// sign pushes something that refers to an image, as signatures do.
func sign(t *testing.T, base, at string) ociv1.Hash {
	t.Helper()
	ref := reference(t, base, at)
	desc, err := remote.Get(ref, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	signature, ok := mutate.Subject(randomImage(t, 1*kib, 1), desc.Descriptor).(ociv1.Image)
	if !ok {
		t.Fatal("no image")
	}
	h := hashOf(t, signature)
	writeImage(t, base, ref.Context().RepositoryStr()+"@"+h.String(), signature)
	return h
}

// wantMigrated pulls all of m.
func wantMigrated(t *testing.T, base string, m migrated) {
	t.Helper()
	for at, want := range m.images {
		readImage(t, base, at, want)
	}
	index, err := remote.Index(reference(t, base, "team/app:all"), remote.WithContext(t.Context()))
	if err != nil || hashOf(t, index) != m.index {
		t.Errorf("index: %v", err)
	}
	wantSigned(t, base, m)
	for i, c := range m.blobs {
		pull(t, base, fmt.Sprintf("large/%d", i%3), c.digest(), c.size)
	}
}

// wantSigned asks what refers to an image.
func wantSigned(t *testing.T, base string, m migrated) {
	t.Helper()
	signed, ok := reference(t, base, "team/app@"+m.signed.String()).(name.Digest)
	if !ok {
		t.Fatal("no digest")
	}
	referrers, err := remote.Referrers(signed, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	got, err := referrers.IndexManifest()
	if err != nil || len(got.Manifests) != 1 || got.Manifests[0].Digest != m.signs {
		t.Errorf("referrers: %+v (%v), want %v", got, err, m.signs)
	}
	readImage(t, base, "team/app@"+m.signs.String(), m.signs)
}

// sums are the hashes of what a registry has.
func sums(t *testing.T, b driver.Bucket) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for e, err := range driver.List(t.Context(), b, driver.ListRequest{Prefix: "docker/"}) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(e.Key, "/_uploads/") {
			continue
		}
		r, err := b.Open(t.Context(), e.Key, driver.Range{}, driver.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		_, err = io.Copy(h, r)
		_ = r.Close()
		if err != nil {
			t.Fatal(err)
		}
		all[e.Key] = fmt.Sprintf("%d bytes, %x", e.Size, h.Sum(nil))
	}
	return all
}

// blobBytes adds up the blobs of a registry.
func blobBytes(t *testing.T, b driver.Bucket) (n int64) {
	t.Helper()
	for e, err := range driver.List(t.Context(), b, driver.ListRequest{Prefix: "docker/registry/v2/blobs/"}) {
		if err != nil {
			t.Fatal(err)
		}
		n += e.Size
	}
	return n
}

// copied is the last line that "blobdock copy --json" prints.
type copied struct {
	Blobs      int64
	Bytes      int64
	BytesThere int64 `json:"bytes_there"`
	Links      int64
	Tags       int64
	TagsThere  int64 `json:"tags_there"`
	Complete   bool
}

// finished waits for a copy and reads what it says.
func finished(t *testing.T, p *process) copied {
	t.Helper()
	if code := p.code(t, 10*time.Minute); code != 0 {
		t.Fatalf("copy ended with %d\n%s%s", code, p.stdout.String(), p.stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(p.stdout.String()), "\n")
	var c copied
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &c); err != nil || len(lines) > 1 {
		t.Fatalf("copy printed\n%s%v", p.stdout.String(), err)
	}
	return c
}

// watchMemory tells, at the end of p, the largest resident set that it was seen to
// have, in bytes; 0 where the system does not tell. What the system says of a process
// that has ended includes what its parent had when it began.
func watchMemory(p *process) <-chan int64 {
	peak := make(chan int64, 1)
	go func() {
		var most int64
		for {
			select {
			case <-p.done:
				peak <- most
				return
			case <-time.After(5 * time.Millisecond):
			}
			most = max(most, p.peak())
		}
	}()
	return peak
}

// leg is a copy to a store.
type leg struct {
	name string
	to   cloud
}

// TestCopy takes a registry around all stores and back, in full runs also around those
// behind laws. On each leg the program is killed in its midst. What is in the destination
// by then is right, the same command moves no more than the rest, and in the end every key
// has the same bytes.
func TestCopy(t *testing.T) {
	t.Parallel()
	const few, small = 4, 10 * mib
	t.Run("emulators", func(t *testing.T) {
		t.Parallel()
		count, size := few, small
		if full() {
			count, size = 8, 256*mib
		}
		minio := onMinIO(emulator.Start(t))
		copies(t, minio, []leg{
			{"s3 to azure", azureCloud{Azure: emulator.StartAzure(t)}},
			{"azure to gcs", gcsCloud{GCS: emulator.StartGCS(t)}},
			{"gcs to s3", minio},
		}, count, size)
	})
	if !full() {
		return
	}
	t.Run("laws", func(t *testing.T) {
		t.Parallel()
		var legs []leg
		for _, j := range jurisdictions {
			c, _ := j.open(t, laws.Options{})
			legs = append(legs, leg{"to " + j.name, c})
		}
		copies(t, onMinIO(emulator.Start(t)), legs, few, small)
	})
}

// copies copies a registry from leg to leg.
func copies(t *testing.T, from cloud, legs []leg, count int, size int64) {
	t.Helper()
	source := from.newBucket(t)
	pushed := migrating(t, serve(t, inParts(t, from, source)).URL, count, size)
	want := sums(t, look(t, from, source))
	for _, leg := range legs {
		to := leg.to
		bucket := to.newBucket(t)
		inside := look(t, to, bucket)
		through, proxy := to.through(t)
		env := append(from.env(t), to.env(t)...)
		args := []string{"copy", "--json", from.bare(source), through.bare(bucket) + smallParts}
		all := blobBytes(t, look(t, from, source))

		half, goOn := make(chan struct{}), make(chan struct{})
		var once sync.Once
		proxy.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if proxy.Counts().Sent > all/2 {
				once.Do(func() { close(half) })
				<-goOn
			}
			next.ServeHTTP(w, r)
		})
		p := launch(t, env, args...)
		select {
		case <-half:
		case <-p.done:
			t.Fatalf("%s: ended early\n%s%s", leg.name, p.stdout.String(), p.stderr.String())
		case <-time.After(5 * time.Minute):
			t.Fatalf("%s: does not get on", leg.name)
		}
		p.kill()
		proxy.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) { next.ServeHTTP(w, r) })
		close(goOn)

		for key, sum := range sums(t, inside) {
			if want[key] != sum {
				t.Errorf("%s: after the kill, %s has %s, want %s", leg.name, key, sum, want[key])
			}
		}
		there := blobBytes(t, inside)
		proxy.Reset()
		began := time.Now()
		p = launch(t, env, args...)
		memory := watchMemory(p)
		got := finished(t, p)
		took, moved, peak := time.Since(began), proxy.Counts(), <-memory
		t.Logf("%s: %d of %d MiB were there, %d MiB in %d blobs, %d links and %d tags copied in %.1f s by %v; peak RSS %d MiB",
			leg.name, there/mib, all/mib, got.Bytes/mib, got.Blobs, got.Links, got.Tags, took.Seconds(), moved, peak/mib)
		if !got.Complete || got.Bytes+got.BytesThere != all || got.BytesThere < there || there == 0 {
			t.Errorf("%s: %+v, of %d bytes %d were there", leg.name, got, all, there)
		}
		// A store that is slow to answer may be sent a part or two again.
		if moved.Sent > got.Bytes+all/100+10*mib {
			t.Errorf("%s: sent %d bytes for %d of blobs", leg.name, moved.Sent, got.Bytes)
		}
		if limit := (256 + 160) * mib; peak > limit {
			t.Errorf("%s: peak RSS %d MiB, want at most %d MiB", leg.name, peak/mib, limit/mib)
		}

		if got := sums(t, inside); !maps.Equal(got, want) {
			t.Errorf("%s: copied\n%q\nwant\n%q", leg.name, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
		wantMigrated(t, serve(t, inParts(t, to, bucket)).URL, pushed)
		wantSwept(t, to, inside)
		from, source = to, bucket
	}
}

// wantSwept finds that a sweep leaves nothing of the uploads that were killed.
func wantSwept(t *testing.T, c cloud, inside driver.Bucket) {
	t.Helper()
	s, err := blobstore.New(inside, blobstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	// Nothing else uses the bucket, so everything is abandoned.
	result, err := s.Sweep(t.Context(), blobstore.SweepOptions{OlderThan: time.Nanosecond})
	t.Logf("swept %+v", result)
	if err != nil {
		t.Error(err)
	}
	wantNoUploads(t, inside)
}

// TestCopyTags copies an image by its tag, and gets its signature.
func TestCopyTags(t *testing.T) {
	onEach(t, func(t *testing.T, c cloud) {
		source, bucket := c.newBucket(t), c.newBucket(t)
		base := serve(t, on(t, c, source)).URL
		img := randomImage(t, 10*kib, 2)
		writeImage(t, base, "team/app:v1", img)
		m := migrated{signed: hashOf(t, img)}
		m.signs = sign(t, base, "team/app:v1")
		writeImage(t, base, "team/app:v2", randomImage(t, 10*kib, 2))
		writeImage(t, base, "team/web:v1", randomImage(t, 10*kib, 2))

		p := launch(t, c.env(t), "copy", "--json", "--repository", "team/a*", "--tag", "v1", c.bare(source), c.bare(bucket))
		if got := finished(t, p); got.Tags != 1 || got.Blobs != 7 { // an image of 4 blobs, a signature of 3, which no tag names
			t.Errorf("%+v", got)
		}
		copied := serve(t, on(t, c, bucket)).URL
		readImage(t, copied, "team/app:v1", m.signed)
		wantSigned(t, copied, m)
		wantNames(t, copied, "team/app", []string{"v1"}, []string{"team/app"})
	})
}

// TestCopyInterrupted stops a copy by Ctrl-C.
func TestCopyInterrupted(t *testing.T) {
	t.Parallel()
	c := onMinIO(emulator.Start(t))
	source, bucket := c.newBucket(t), c.newBucket(t)
	base := serve(t, on(t, c, source)).URL
	for i := range 20 {
		if err := single(t, base, "app", content{100*kib + int64(i), uint64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	through, proxy := c.through(t)
	held, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	proxy.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if proxy.Counts().Sent > 5*100*kib {
			once.Do(func() { close(held) })
			select {
			case <-goOn:
			case <-r.Context().Done():
				return
			}
		}
		next.ServeHTTP(w, r)
	})
	t.Cleanup(func() { close(goOn) })
	p := launch(t, c.env(t), "copy", "--concurrency", "1", c.bare(source), through.bare(bucket))
	select {
	case <-held:
	case <-time.After(time.Minute):
		t.Fatal("the copy does not get on")
	}
	began := time.Now()
	p.interrupt(t)
	code := p.code(t, 30*time.Second)
	if took := time.Since(began); code != 1 || took > 5*time.Second {
		t.Errorf("ended with %d after %v", code, took)
	}
	if out := p.stdout.String(); !strings.Contains(out, "5 blobs (500.0 KiB)") || !strings.Contains(p.stderr.String(), "interrupted; run it again to go on") {
		t.Errorf("printed %s%s", out, p.stderr.String())
	}
}
