package integration_test

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	orascontent "oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/memory"
	"oras.land/oras-go/v2/content/oci"
	"oras.land/oras-go/v2/registry/remote"
)

// orasRepository is a repository as oras sees it.
func orasRepository(t testing.TB, base, repo string) *remote.Repository {
	t.Helper()
	r, err := remote.NewRepository(strings.TrimPrefix(base, "http://") + "/" + repo)
	if err != nil {
		t.Fatal(err)
	}
	r.PlainHTTP = true
	return r
}

func TestORAS(t *testing.T) {
	eachWay(t, func(t *testing.T, base string) {
		ctx := t.Context()
		local, err := oci.New(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		var layers []v1.Descriptor
		for _, c := range []content{{100, 1}, {3 * mib, 2}, {7 * mib, 3}} {
			desc, err := oras.PushBytes(ctx, local, "application/vnd.example.data", c.bytes(t))
			if err != nil {
				t.Fatal(err)
			}
			layers = append(layers, desc)
		}
		artifact, err := oras.PackManifest(ctx, local, oras.PackManifestVersion1_1, "application/vnd.example", oras.PackManifestOptions{Layers: layers})
		if err != nil {
			t.Fatal(err)
		}
		if err := local.Tag(ctx, artifact, "v1"); err != nil {
			t.Fatal(err)
		}

		pushed, err := oras.Copy(ctx, local, "v1", orasRepository(t, base, "oras/first"), "v1", oras.DefaultCopyOptions)
		if err != nil || pushed.Digest != artifact.Digest {
			t.Fatalf("push: %v (%v), want %v", pushed.Digest, err, artifact.Digest)
		}
		// From one repository to the other, then back to here.
		if _, err := oras.Copy(ctx, orasRepository(t, base, "oras/first"), "v1", orasRepository(t, base, "oras/second"), "v2", oras.DefaultCopyOptions); err != nil {
			t.Fatalf("copy: %v", err)
		}
		back := memory.New()
		pulled, err := oras.Copy(ctx, orasRepository(t, base, "oras/second"), "v2", back, "v2", oras.DefaultCopyOptions)
		if err != nil || pulled.Digest != artifact.Digest {
			t.Fatalf("pull: %v (%v), want %v", pulled.Digest, err, artifact.Digest)
		}
		for _, want := range layers {
			got, err := orascontent.FetchAll(ctx, back, want) // compares the digest
			if err != nil || int64(len(got)) != want.Size {
				t.Errorf("layer %s: %d bytes (%v), want %d", want.Digest, len(got), err, want.Size)
			}
		}

		refers(t, base, artifact)
		seeks(t, base, layers[2])
	})
}

// refers attaches a second artifact to the first and finds it.
func refers(t *testing.T, base string, subject v1.Descriptor) {
	t.Helper()
	ctx := t.Context()
	repo := orasRepository(t, base, "oras/first")
	note, err := oras.PackManifest(ctx, repo, oras.PackManifestVersion1_1, "application/vnd.example.note", oras.PackManifestOptions{Subject: &subject})
	if err != nil {
		t.Fatalf("attach: %v", err)
	}
	found, err := repo.Predecessors(ctx, subject)
	if err != nil || !slices.ContainsFunc(found, func(d v1.Descriptor) bool { return d.Digest == note.Digest }) {
		t.Errorf("referrers: %v (%v), want %s", found, err, note.Digest)
	}
}

// seeks reads a blob from its middle on, which oras does by ranges.
func seeks(t *testing.T, base string, layer v1.Descriptor) {
	t.Helper()
	r, err := orasRepository(t, base, "oras/first").Blobs().Fetch(t.Context(), layer)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s, ok := r.(io.Seeker)
	if !ok {
		t.Fatalf("%T can't seek: the registry does not tell that it takes ranges", r)
	}
	const off, n = 5 << 20, 1000
	if _, err := s.Seek(off, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, n)
	if _, err := io.ReadFull(r, got); err != nil {
		t.Fatal(err)
	}
	want := make([]byte, n)
	_, _ = content{layer.Size, 3}.ReadAt(want, off)
	if !bytes.Equal(got, want) {
		t.Error("content from the middle differs")
	}
}
