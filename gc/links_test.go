package gc_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/gc"
	"github.com/blobdock/blobdock/layers/tarsum"
	"github.com/blobdock/blobdock/manifests"
	"github.com/blobdock/blobdock/signatures"
)

// TestSignatureLinks keeps the signatures of schema 1 as long as their manifest, and so what is put
// while an equal one is condemned.
func TestSignatureLinks(t *testing.T) {
	onEach(t, func(t *testing.T, b driver.Bucket) {
		r := newReplica(t, b)
		m, other := r.image("app", "layer", "v1"), r.image("app", "other", "v2")
		d := m.Descriptor().Digest
		put := func(of digest.Digest, text string) {
			t.Helper()
			if err := signatures.Links(r.store, r.repository("app")).Put(t.Context(), of, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		want := func(of digest.Digest, want string) {
			t.Helper()
			fresh := newReplica(t, b)
			got, err := signatures.Links(fresh.store, fresh.repository("app")).Get(t.Context(), of)
			if text := string(bytes.Join(got, []byte(" "))); err != nil || text != want {
				t.Errorf("signatures of %s are %q (%v), want %q", of, text, err, want)
			}
		}
		put(d, `{"by":"me"}`)
		put(other.Descriptor().Digest, `{"by":"you"}`)
		for range 2 {
			time.Sleep(day + time.Minute)
			collect(t, b, gc.Options{Untagged: true})
		}
		want(d, `{"by":"me"}`)
		want(other.Descriptor().Digest, `{"by":"you"}`)
		r.delete("app", m)
		r.delete("app", other)
		time.Sleep(day + time.Minute)
		done := make(chan gc.Summary)
		go func() { done <- collect(t, b, gc.Options{}) }()
		time.Sleep(10 * time.Minute)
		if again := r.image("app", "layer", "v1").Descriptor().Digest; again != d {
			t.Fatalf("pushed again it is %s, not %s", again, d)
		}
		put(d, `{"by":"me"}`)
		<-done
		want(d, `{"by":"me"}`)
		want(other.Descriptor().Digest, "")
		if err := whole(t, b, "app", "v1"); err != nil {
			t.Error(err)
		}
		r.delete("app", r.image("app", "layer", "v1"))
		for range 3 {
			time.Sleep(day + time.Minute)
			collect(t, b, gc.Options{})
		}
		if left := list(t, b, ""); len(left) > 0 {
			t.Errorf("left are %q", left)
		}
	})
}

// archive is a tar archive of one file.
func archive(t testing.TB, text string) (content []byte, tarSum string) {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := errors.Join(w.WriteHeader(&tar.Header{Name: text, Mode: 0o644}), w.Close()); err != nil {
		t.Fatal(err)
	}
	tarSum, err := tarsum.Compute(bytes.NewReader(buf.Bytes()), tarsum.Version1)
	if err != nil {
		t.Fatal(err)
	}
	return buf.Bytes(), tarSum
}

// TestTarSumLinks keeps layers that only a tarsum leads to, until they are deleted, and so what is
// pushed while an equal one is condemned.
func TestTarSumLinks(t *testing.T) {
	onEach(t, func(t *testing.T, b driver.Bucket) {
		r := newReplica(t, b)
		content, tarSum := archive(t, "file")
		d := digest.FromBytes(content)
		finish := func(d digest.Digest) {
			t.Helper()
			u, err := tarsum.New(t.Context(), r.store).Upload("app", tarSum)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := u.Write(content); err != nil {
				t.Fatal(err)
			}
			if _, err := u.Finish(int64(len(content)), d); err != nil {
				t.Fatal(err)
			}
		}
		days := func(n int) {
			t.Helper()
			for range n {
				time.Sleep(day + time.Minute)
				if s := collect(t, b, gc.Options{Untagged: true}); s.Faults > 0 {
					t.Errorf("%+v", s)
				}
			}
		}
		want := func(of digest.Digest) {
			t.Helper()
			l, err := tarsum.New(t.Context(), newReplica(t, b).store).Fetch("app", tarSum)
			if of == "" {
				if !errors.Is(err, tarsum.ErrLayerUnknown) {
					t.Errorf("%v, want %v", err, tarsum.ErrLayerUnknown)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if got, err := io.ReadAll(l); err != nil || of.Algorithm().FromBytes(got) != of {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		}
		remove := func(d digest.Digest) {
			t.Helper()
			if err := r.blobs("app").Delete(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		finish(d)
		days(2)
		want(d)
		remove(d)
		days(2)
		want("")
		if left := list(t, b, keys.Blobs()); len(left) > 0 {
			t.Errorf("deleted, there is %q", left)
		}
		if err := b.Delete(t.Context(), tarSumLink(t, b), driver.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}

		// A layer that nothing leads to is condemned, and gets a tarsum then.
		r.blob("app", v1.MediaTypeImageLayer, string(content))
		time.Sleep(day + time.Minute)
		done := make(chan gc.Summary)
		go func() { done <- collect(t, b, gc.Options{}) }()
		time.Sleep(10 * time.Minute)
		finish(d)
		if s := <-done; s.Unused != 2 || s.Deleted != 0 {
			t.Errorf("%+v, want blob and link condemned and rescued", s)
		}
		want(d)
		days(2)
		want(d)
		remove(d)

		// As distribution has what was pushed by its SHA-512.
		other := digest.SHA512.FromBytes(content)
		put(t, b, keys.Blob(d), string(content))
		put(t, b, keys.LayerLink("app", other), d.String())
		time.Sleep(time.Minute)
		put(t, b, tarSumLink(t, b), other.String())
		days(2)
		want(other)
	})
}

// tarSumLink is the only one that a bucket has.
func tarSumLink(t testing.TB, b driver.Bucket) string {
	t.Helper()
	all := list(t, b, keys.Layers("app")+"tarsum/")
	if len(all) != 1 {
		t.Fatalf("links %q, want one", all)
	}
	return all[0]
}

// TestSlowTarSum has the link to a layer that nothing else leads to written when garbage collection
// has looked for the second time, and deletes the layer a bit later: it is not acknowledged.
func TestSlowTarSum(t *testing.T) {
	onEach(t, func(t *testing.T, b driver.Bucket) {
		content, tarSum := archive(t, "file")
		d := digest.FromBytes(content)
		newReplica(t, b).blob("app", v1.MediaTypeImageLayer, string(content))
		time.Sleep(day)
		slow := driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			if c.Op == driver.OpPut && strings.Contains(c.Key, "/tarsum/") {
				time.Sleep(70*time.Minute + 5*time.Second)
			}
			return next(ctx)
		})
		later := driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			if c.Op == driver.OpDelete && c.Key == keys.Blob(d) {
				time.Sleep(10 * time.Second)
			}
			return next(ctx)
		})
		r := newReplica(t, slow)
		u, err := tarsum.New(t.Context(), r.store).Upload("app", tarSum)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := u.Write(content); err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			_, err := u.Finish(int64(len(content)), d)
			done <- err
		}()
		time.Sleep(10 * time.Minute)
		if s := collect(t, later, gc.Options{}); s.Deleted != 1 {
			t.Errorf("%+v, want the blob deleted", s)
		}
		if err := <-done; !errors.Is(err, tarsum.ErrLayerUnknown) {
			t.Errorf("%v, want %v", err, tarsum.ErrLayerUnknown)
		}
	})
}

// TestDamagedTarSum keeps all layers of a repository with a tarsum of which nobody knows to which it
// led.
func TestDamagedTarSum(t *testing.T) {
	onEach(t, func(t *testing.T, b driver.Bucket) {
		r := newReplica(t, b)
		r.blob("app", v1.MediaTypeImageLayer, "layer")
		r.blob("other", v1.MediaTypeImageLayer, "another")
		key := keys.TarSumLink("app", "v1/sha256/aa")
		put(t, b, key, "sha256:12")
		time.Sleep(day + time.Minute)
		var faults []string
		s := collect(t, b, gc.Options{OnFault: func(key, _ string) { faults = append(faults, key) }})
		if s.Deleted != 2 || !slices.Equal(faults, []string{key}) {
			t.Errorf("%+v, faults %q, want the other repository's blob and link deleted", s, faults)
		}
		if _, err := newReplica(t, b).blobs("app").Get(t.Context(), digest.FromString("layer")); err != nil {
			t.Error(err)
		}
	})
}

// TestAliases keeps what distribution has under the SHA-256 of content that was pushed by its
// SHA-512: the links alone tell.
func TestAliases(t *testing.T) {
	onEach(t, func(t *testing.T, b driver.Bucket) {
		alias := func(text string, link func(repo string, d digest.Digest) string) digest.Digest {
			other, d := digest.SHA256.FromString(text), digest.SHA512.FromString(text)
			put(t, b, keys.Blob(other), text)
			put(t, b, link("app", d), other.String())
			return d
		}
		layer := alias("layer", keys.LayerLink)
		m := manifest(t, nil, v1.Descriptor{MediaType: v1.MediaTypeImageLayerGzip, Digest: layer, Size: 5})
		_, payload, err := m.Payload()
		if err != nil {
			t.Fatal(err)
		}
		d := alias(string(payload), keys.RevisionLink)
		put(t, b, keys.TagLink("app", "v1"), d.String())
		gone := alias("nobody has it", keys.LayerLink)
		time.Sleep(day + time.Minute)
		for range 2 {
			collect(t, b, gc.Options{Untagged: true})
			time.Sleep(day)
		}
		if err := whole(t, b, "app", "v1"); err != nil {
			t.Error(err)
		}
		if left := list(t, b, keys.Blobs()); len(left) != 2 {
			t.Errorf("left are %q, want those of manifest and layer, and not of %s", left, gone)
		}
		// What is condemned is rescued under the digest that it has.
		r := newReplica(t, b)
		r.delete("app", parse512(t, payload))
		done := make(chan gc.Summary)
		go func() { done <- collect(t, b, gc.Options{}) }()
		time.Sleep(10 * time.Minute)
		if _, err := r.blobs("app").Lookup(head(t.Context()), layer); err != nil {
			t.Fatal(err)
		}
		got := <-done
		if _, err := newReplica(t, b).blobs("app").Get(t.Context(), layer); err != nil || got.Deleted != 1 {
			t.Errorf("%v, after %+v, want only the manifest gone", err, got)
		}
	})
}

// TestDamagedAlias keeps the content of a layer whose link by SHA-512 does not tell any more where
// it lies, as distribution links it by both digests.
func TestDamagedAlias(t *testing.T) {
	onEach(t, func(t *testing.T, b driver.Bucket) {
		lies, named := digest.SHA256.FromString("layer"), digest.SHA512.FromString("layer")
		put(t, b, keys.Blob(lies), "layer")
		put(t, b, keys.LayerLink("app", lies), lies.String())
		put(t, b, keys.LayerLink("app", named), "damaged")
		_, payload, err := manifest(t, nil, v1.Descriptor{MediaType: v1.MediaTypeImageLayerGzip, Digest: named, Size: 5}).Payload()
		if err != nil {
			t.Fatal(err)
		}
		m := digest.SHA256.FromBytes(payload)
		put(t, b, keys.Blob(m), string(payload))
		put(t, b, keys.RevisionLink("app", m), m.String())
		put(t, b, keys.TagLink("app", "v1"), m.String())
		time.Sleep(day + time.Minute)
		if got := collect(t, b, gc.Options{}); got.Unused != 0 || got.Faults != 1 {
			t.Errorf("%+v, want the damaged link told, and nothing unused", got)
		}
	})
}

func parse512(t *testing.T, payload []byte) *manifests.Manifest {
	t.Helper()
	m, err := manifests.Parse("", digest.SHA512, payload)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
