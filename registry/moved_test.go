package registry_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/registry/storage"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/check"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/file"
	"github.com/blobdock/blobdock/driver/retry"
	"github.com/blobdock/blobdock/registry"
)

// pushImage pushes an image of one layer, and returns the digest of its manifest.
func pushImage(t *testing.T, url, repo, tag string) digest.Digest {
	t.Helper()
	blob := func(mediaType, text string) v1.Descriptor {
		d := digest.FromString(text)
		resp, body := do(t, "POST", fmt.Sprintf("%s/v2/%s/blobs/uploads/?digest=%s", url, repo, d), nil, nil)
		if resp.StatusCode != http.StatusAccepted {
			t.Fatalf("POST: %s %s", resp.Status, body)
		}
		resp, body = do(t, "PUT", withDigest(resp.Header.Get("Location"), d), map[string]string{"Content-Type": "application/octet-stream"}, strings.NewReader(text))
		if resp.StatusCode != http.StatusCreated {
			t.Fatalf("PUT: %s %s", resp.Status, body)
		}
		return v1.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(text))}
	}
	var m v1.Manifest
	m.SchemaVersion, m.MediaType = 2, v1.MediaTypeImageManifest
	m.Config = blob(v1.MediaTypeImageConfig, `{"of":"`+repo+`"}`)
	m.Layers = []v1.Descriptor{blob(v1.MediaTypeImageLayerGzip, fmt.Sprintf("%x", sha256.Sum256([]byte(repo))))}
	p, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	resp, body := do(t, "PUT", fmt.Sprintf("%s/v2/%s/manifests/%s", url, repo, tag), map[string]string{"Content-Type": m.MediaType}, strings.NewReader(string(p)))
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("PUT of the manifest: %s %s", resp.Status, body)
	}
	return digest.FromBytes(p)
}

// collectGarbage runs distribution's garbage collection on b.
func collectGarbage(t *testing.T, b driver.Bucket) error {
	t.Helper()
	s, err := blobstore.New(b, blobstore.Options{Retry: retry.Policy{Attempts: 2}})
	if err != nil {
		t.Fatal(err)
	}
	d := registry.NewDriver(s)
	ns, err := storage.NewRegistry(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return storage.MarkAndSweep(t.Context(), d, ns, storage.GCOpts{RemoveUntagged: true, Quiet: true})
}

// TestGarbageBehindSymlinks moves parts of a registry to another directory and leaves a
// symlink. Garbage collection removes what is unused and nothing else, and check finds
// nothing.
func TestGarbageBehindSymlinks(t *testing.T) {
	t.Parallel()
	for _, moved := range []string{"repositories", "repositories/team", "repositories/team/app", "repositories/team/app/_manifests", "blobs", "blobs/sha256", "."} {
		t.Run(moved, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			b, err := file.New(dir, file.Options{NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			srv := serveWith(t, b, "retries=1")
			kept := pushImage(t, srv.URL, "team/app", "v1")
			unused := pushImage(t, srv.URL, "other", "v1")
			link := filepath.Join(dir, "docker", "registry", "v2", moved)
			away := filepath.Join(t.TempDir(), "away")
			if err := os.Rename(link, away); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(away, link); err != nil {
				t.Fatal(err)
			}
			if resp, body := do(t, "DELETE", srv.URL+"/v2/other/manifests/"+unused.String(), nil, nil); resp.StatusCode != http.StatusAccepted {
				t.Fatalf("DELETE: %s %s", resp.Status, body)
			}
			if err := collectGarbage(t, b); err != nil {
				t.Errorf("garbage collection: %v", err)
			}
			if n := countBlobs(t, b); n != 3 {
				t.Errorf("%d blobs are left, want 3", n)
			}
			if resp, body := do(t, "GET", srv.URL+"/v2/team/app/manifests/v1", map[string]string{"Accept": v1.MediaTypeImageManifest}, nil); resp.StatusCode != http.StatusOK || digest.FromString(body) != kept {
				t.Errorf("GET: %s %s", resp.Status, body)
			}
			if sum, err := check.Run(t.Context(), b, check.Options{OlderThan: time.Nanosecond, Digest: true}); err != nil || sum.Damaged != 0 || sum.Manifests == 0 {
				t.Errorf("check: %+v, %v", sum, err)
			}

			// The volume is gone: nobody knows what is used.
			if err := os.Rename(away, away+"-unmounted"); err != nil {
				t.Fatal(err)
			}
			if err := collectGarbage(t, b); err == nil || !strings.Contains(err.Error(), link) {
				t.Errorf("garbage collection with a broken symlink: %v", err)
			}
			if sum, err := check.Run(t.Context(), b, check.Options{OlderThan: time.Nanosecond}); err == nil || !strings.Contains(err.Error(), link) {
				t.Errorf("check with a broken symlink: %+v, %v", sum, err)
			}
			// Another replica has not read the manifest yet.
			if resp, _ := do(t, "GET", serveWith(t, b, "retries=1").URL+"/v2/team/app/manifests/v1", nil, nil); resp.StatusCode < 500 {
				t.Errorf("GET with a broken symlink: %s", resp.Status)
			}
			if err := os.Rename(away+"-unmounted", away); err != nil {
				t.Fatal(err)
			}
			if n := countBlobs(t, b); n != 3 {
				t.Errorf("%d blobs are left, want 3", n)
			}
		})
	}
}

func countBlobs(t *testing.T, b driver.Bucket) (n int) {
	t.Helper()
	for _, key := range all(t, b) {
		if strings.Contains(key, "/blobs/sha256/") {
			n++
		}
	}
	return n
}
