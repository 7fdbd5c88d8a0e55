package integration_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/wire"
)

const (
	kib = int64(1) << 10
	mib = int64(1) << 20
	gib = int64(1) << 30
)

// TestBudgets pins what each kind of push costs in requests to the store, and
// holds it to limits that no update of the golden file can lift.
func TestBudgets(t *testing.T) {
	s, store := wire.S3(t, emulator.Start(t))
	bucket := s.NewBucket(t)
	base := serve(t, onS3(t, s, bucket)).URL

	blob := func(c content, chunk int64) func(*testing.T) {
		return func(t *testing.T) { push(t, base, "budget", c, chunk) }
	}
	// The first requests also look whether there is a bucket at all.
	push(t, base, "warm", content{kib, 1}, 0)

	const nothing = 0
	var table []string
	pinned := readLines(t, filepath.Join("testdata", "budgets.golden"))
	for _, tc := range []struct {
		name     string
		run      func(t *testing.T)
		requests int   // at most
		copied   int64 // bytes, at most
	}{
		{"push_stream_64KiB", blob(content{64 * kib, 1}, 64*kib), 7, nothing},
		{"push_put_64KiB", blob(content{64 * kib, 2}, 0), 5, nothing},
		{"push_stream_8MiB", blob(content{8 * mib, 1}, 8*mib), 9, nothing},
		{"push_put_8MiB", blob(content{8 * mib, 2}, 0), 7, nothing},
		{"push_patches_8MiB_of_1MiB", blob(content{8 * mib, 3}, mib), 32, nothing},
		{"push_patches_256MiB_of_1MiB", blob(content{256 * mib, 1}, mib), 700, 256 * mib},
		{"push_put_64MiB", blob(content{64 * mib, 1}, 0), 30, nothing},
		{"push_put_1GiB", blob(content{gib, 1}, 0), 160, nothing},
		{"push_image_of_5_layers", func(t *testing.T) { pushImage(t, base) }, 70, nothing},
		{"pull_image_of_5_layers", func(t *testing.T) { pullImage(t, base) }, 25, nothing},
	} {
		t.Run(tc.name, func(t *testing.T) {
			store.Reset()
			tc.run(t)
			got := store.Counts()
			if got.Requests() > tc.requests || got.Copied > tc.copied {
				t.Errorf("%v and %d bytes copied, want at most %d and %d", got, got.Copied, tc.requests, tc.copied)
			}
			line := fmt.Sprintf("%s: %v", tc.name, got)
			if got.Copied > 0 {
				line += fmt.Sprintf(", %d MiB copied by the store", got.Copied/mib)
			}
			table = append(table, line)
			if !update() && !slices.Contains(pinned, line) {
				t.Errorf("not as pinned, run with -update if that is meant:\n%s", line)
			}
		})
	}
	t.Logf("requests to the store:\n%s", strings.Join(table, "\n"))
	if update() {
		if err := os.WriteFile(filepath.Join("testdata", "budgets.golden"), []byte(strings.Join(table, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func readLines(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !update() {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

// pushImage pushes a config, 5 layers and a manifest as crane does, which looks
// for each blob before it sends it.
func pushImage(t *testing.T, base string) {
	t.Helper()
	img, err := random.Image(64*kib, 5)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(strings.TrimPrefix(base, "http://") + "/budget/image:latest")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// pullImage pulls what pushImage has pushed. Redirects are on, so that the blobs
// themselves come from the store.
func pullImage(t *testing.T, base string) {
	t.Helper()
	ref, err := name.ParseReference(strings.TrimPrefix(base, "http://") + "/budget/image:latest")
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(ref, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := img.RawConfigFile(); err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range layers {
		r, err := layer.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil { // compares the digest
			t.Fatal(err)
		}
		r.Close()
	}
}
