package integration_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/storage"
	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/factory"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/integration/emulator"
)

// shared is one store that both kinds of registry use.
type shared struct {
	stock, ours side
	look        driver.Bucket
}

// side is one kind of registry on the store.
type side interface {
	serve(t testing.TB) (url string)
	// collect runs distribution's garbage collection.
	collect(t testing.TB)
}

// section is a registry in this process.
type section configuration.Storage

func (s section) serve(t testing.TB) string {
	t.Helper()
	return serve(t, configuration.Storage(s)).URL
}

func (s section) collect(t testing.TB) {
	t.Helper()
	collect(t, configuration.Storage(s))
}

// stockProcess is distribution's registry with its own drivers in a process of its own.
type stockProcess struct {
	program func() (path string, err error)
	env     []string
	storage map[string]any
}

func (p stockProcess) serve(t testing.TB) string {
	t.Helper()
	return onFreePort(t, (*process).logged, func(addr string) *process {
		return start(t, p.program, p.env, "serve", p.config(t, addr))
	}).url
}

func (p stockProcess) collect(t testing.TB) {
	t.Helper()
	run := start(t, p.program, p.env, "garbage-collect", "--offline", "--delete-untagged", "--quiet", p.config(t, ""))
	if code := run.code(t, time.Minute); code != 0 {
		t.Fatalf("garbage collection: status %d\n%s%s", code, run.stdout.String(), run.stderr.String())
	}
}

// config writes a configuration file. All of JSON is YAML, too.
func (p stockProcess) config(t testing.TB, addr string) (path string) {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"version": "0.1", "log": map[string]any{"level": "info", "accesslog": map[string]any{"disabled": true}}, "storage": p.storage,
		"http": map[string]any{"addr": addr, "secret": secret},
	})
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "config.yml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func sharedBucket(t *testing.T, c interface {
	cloud
	stock(t testing.TB, bucket string) side
}) shared {
	t.Helper()
	bucket := c.newBucket(t)
	return shared{c.stock(t, bucket), section(inParts(t, c, bucket)), look(t, c, bucket)}
}

func sharedDirectory(t *testing.T) shared {
	t.Helper()
	dir := t.TempDir()
	stock := configuration.Storage{"filesystem": {"rootdirectory": dir}}
	return shared{section(stock), section(blobdock("file://" + dir)), open(t, "file://"+dir)}
}

// TestInterop has distribution's own drivers and blobdock take turns on one
// store. Each serves what the other has written, unchanged, and garbage
// collection by either removes exactly what nothing refers to. Full runs have Google's store
// as well, and the versions of distribution that write append blobs on Azure.
func TestInterop(t *testing.T) {
	t.Parallel()
	stores := map[string]func(*testing.T) shared{
		"s3":        func(t *testing.T) shared { return sharedBucket(t, onMinIO(emulator.Start(t))) },
		"azure":     func(t *testing.T) shared { return sharedBucket(t, azureCloud{Azure: emulator.StartAzure(t)}) },
		"directory": sharedDirectory,
	}
	if full() {
		stores["gcs"] = func(t *testing.T) shared { return sharedBucket(t, gcsCloud{GCS: emulator.StartGCS(t)}) }
		for version, program := range oldStock {
			stores["azure-"+version] = func(t *testing.T) shared {
				return sharedBucket(t, oldStockCloud{azureCloud{Azure: emulator.StartAzure(t)}, program})
			}
		}
	}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			takeTurns(t, open(t))
		})
	}
}

func takeTurns(t *testing.T, s shared) {
	t.Helper()
	stock, ours := s.stock.serve(t), s.ours.serve(t)
	p := &population{images: make(map[string]v1.Hash)}

	p.write(t, stock, "stock")
	p.check(t, ours)
	p.write(t, ours, "blobdock")
	p.check(t, stock)

	// An upload that is under way survives both collections.
	c := content{9 * mib, 99}
	at := patch(t, begin(t, ours, "under/way"), c, 0, 8*mib)
	for _, by := range []struct {
		name string
		side side
	}{{"stock", s.stock}, {"blobdock", s.ours}} {
		p.litter(t, stock, "stock")
		p.litter(t, ours, "blobdock")
		if diff := cmp.Diff(p.referenced(), blobsIn(t, s.look)); diff == "" {
			t.Errorf("nothing for %s to collect", by.name)
		}
		by.side.collect(t)
		if diff := cmp.Diff(p.referenced(), blobsIn(t, s.look)); diff != "" {
			t.Errorf("blobs after garbage collection by %s (-want +got):\n%s", by.name, diff)
		}
		p.check(t, ours)
	}
	p.check(t, stock)
	put(t, at, c.digest(), c.section(8*mib, mib))
	pull(t, stock, "under/way", c.digest(), c.size)
}

// population is what a store should hold.
type population struct {
	images map[string]v1.Hash // by "repository:tag"
	blobs  []string           // that the images consist of, manifests included
}

// write pushes images, of which one is replaced by another.
func (p *population) write(t *testing.T, base, by string) {
	t.Helper()
	keep := func(ref string, img v1.Image) {
		writeImage(t, base, ref, img)
		p.images[ref] = hashOf(t, img)
		p.blobs = append(p.blobs, blobsOf(t, img)...)
	}
	keep(by+"/one:v1", randomImage(t, 50*kib, 2))
	keep(by+"/nested/two:v1", randomImage(t, 6*mib, 1)) // more than one part
	// A tag that moves on leaves a manifest without one.
	writeImage(t, base, by+"/one:moving", randomImage(t, 10*kib, 1))
	keep(by+"/one:moving", randomImage(t, 10*kib, 1))
	// Also in a repository of the other's.
	img := randomImage(t, 10*kib, 1)
	keep("common/tags:"+by, img)
	// The same layers in two repositories.
	keep(by+"/again:v1", img)
}

// litter pushes what nothing refers to.
func (p *population) litter(t *testing.T, base, by string) {
	t.Helper()
	writeImage(t, base, "common/tags:moving", randomImage(t, 10*kib, 1))
	untag(t, base, "common/tags", "moving")
	push(t, base, by+"/one", content{30 * kib, uint64(len(by))}, 0)
	push(t, base, by+"/one", content{6 * mib, uint64(len(by))}, 6*mib)
}

func untag(t *testing.T, base, repo, tag string) {
	t.Helper()
	do(t, http.MethodDelete, base+"/v2/"+repo+"/manifests/"+tag, nil, nil).want(t, http.StatusAccepted)
}

// check pulls all images from a registry and compares its tags and catalog.
func (p *population) check(t *testing.T, base string) {
	t.Helper()
	tags := make(map[string][]string)
	var repos []string
	for ref, want := range p.images {
		readImage(t, base, ref, want)
		repo, tag, _ := strings.Cut(ref, ":")
		if tags[repo] == nil {
			repos = append(repos, repo)
		}
		tags[repo] = append(tags[repo], tag)
	}
	slices.Sort(repos)
	for repo, want := range tags {
		slices.Sort(want)
		wantNames(t, base, repo, want, repos)
	}
}

// referenced is the digests of what the images consist of.
func (p *population) referenced() []string {
	all := slices.Clone(p.blobs)
	slices.Sort(all)
	return slices.Compact(all)
}

func blobsOf(t *testing.T, img v1.Image) []string {
	t.Helper()
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	out := []string{hashOf(t, img).String(), m.Config.Digest.String()}
	for _, layer := range m.Layers {
		out = append(out, layer.Digest.String())
	}
	return out
}

// blobsIn is the digests of all blobs in a store, by the keys.
func blobsIn(t *testing.T, b driver.Bucket) []string {
	t.Helper()
	var out []string
	for _, key := range keys(t, b) {
		// docker/registry/v2/blobs/sha256/ab/abcd.../data
		if s := strings.Split(key, "/"); len(s) == 8 && s[3] == "blobs" && s[7] == "data" {
			out = append(out, digest.NewDigestFromEncoded(digest.Algorithm(s[4]), s[6]).String())
		}
	}
	slices.Sort(out)
	return out
}

// collect runs distribution's garbage collection as its program does, on the
// driver of a storage section.
func collect(t testing.TB, section configuration.Storage) {
	t.Helper()
	sd, err := factory.Create(t.Context(), section.Type(), section.Parameters())
	if err != nil {
		t.Fatal(err)
	}
	mark(t, sd)
}

func mark(t testing.TB, sd storagedriver.StorageDriver) {
	t.Helper()
	ns, err := storage.NewRegistry(t.Context(), sd)
	if err != nil {
		t.Fatal(err)
	}
	if err := storage.MarkAndSweep(t.Context(), sd, ns, storage.GCOpts{RemoveUntagged: true, Quiet: true}); err != nil {
		t.Fatalf("garbage collection: %v", err)
	}
}
