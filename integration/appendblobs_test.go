package integration_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/transfer"
)

// onAppendBlobs are pushes to a container whose objects are append blobs.
var onAppendBlobs = []struct {
	name string
	run  func(t *testing.T, a appended)
}{
	{"other-image-same-tag", func(t *testing.T, a appended) {
		writeImage(t, a.serve(t), "app:latest", randomImage(t, kib, 2))
		a.convert(t)
		base, img := a.serve(t), randomImage(t, kib, 2)
		writeImage(t, base, "app:latest", img)
		readImage(t, base, "app:latest", hashOf(t, img))
	}},
	{"same-image-other-repository", func(t *testing.T, a appended) {
		img := randomImage(t, kib, 2)
		writeImage(t, a.serve(t), "app:latest", img)
		a.convert(t)
		base := a.serve(t)
		writeImage(t, base, "other:latest", img)
		readImage(t, base, "other:latest", hashOf(t, img))
	}},
	{"large-layer-other-repository", func(t *testing.T, a appended) {
		c := content{20 * mib, 1}
		push(t, a.serve(t), "app", c, 0)
		a.convert(t)
		base := a.serve(t)
		push(t, base, "other", c, 0)
		pullSame(t, base, "other", c)
	}},
	{"layer-over-empty-blob", func(t *testing.T, a appended) {
		// https://github.com/distribution/distribution/issues/2966
		c := content{mib, 2}
		a.create(t, blobKey(c.digest()), nil)
		base := a.serve(t)
		push(t, base, "app", c, 0)
		pullSame(t, base, "app", c)
	}},
	{"large-layer-over-another", func(t *testing.T, a appended) {
		for i, send := range []func(t *testing.T, base string, c content){
			func(t *testing.T, base string, c content) { push(t, base, "app", c, 0) },
			func(t *testing.T, base string, c content) { push(t, base, "app", c, 12*mib) },
			pushChunked,
		} {
			c := content{20 * mib, uint64(3 + i)}
			a.create(t, blobKey(c.digest()), []byte("damaged"))
			base := a.serve(t)
			send(t, base, c)
			pullSame(t, base, "app", c)
		}
	}},
	{"copy-over-others", func(t *testing.T, a appended) {
		from := a.store.newBucket(t)
		base := serve(t, inParts(t, a.store, from)).URL
		large := content{20 * mib, 9}
		push(t, base, "app", large, 0)
		writeImage(t, base, "app:latest", randomImage(t, kib, 2))
		transferAll(t, a.store, from, a.bucket)
		// A layer of the right size and other bytes, and a tag that has moved.
		wrong := content{20 * mib, 10}
		damaged := make([]byte, wrong.size)
		if _, err := io.ReadFull(wrong.reader(), damaged); err != nil {
			t.Fatal(err)
		}
		a.convert(t)
		if err := a.behind.Delete(t.Context(), blobKey(large.digest()), driver.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		a.create(t, blobKey(large.digest()), damaged)
		img := randomImage(t, kib, 2)
		writeImage(t, base, "app:latest", img)
		transferAll(t, a.store, from, a.bucket)
		to := a.serve(t)
		readImage(t, to, "app:latest", hashOf(t, img))
		pullSame(t, to, "app", large)
	}},
	{"wrong-body-over-another", func(t *testing.T, a appended) {
		// Content that has not the digest must not take away what is there.
		c, wrong := content{20 * mib, 7}, content{19 * mib, 8}
		a.create(t, blobKey(c.digest()), []byte("what is there"))
		base := a.serve(t)
		resp := do(t, http.MethodPut, withDigest(begin(t, base, "app"), c.digest()), nil, wrong.reader())
		resp.want(t, http.StatusBadRequest)
		if obj, err := a.behind.Stat(t.Context(), blobKey(c.digest())); err != nil || obj.Size != int64(len("what is there")) {
			t.Errorf("got %+v, %v", obj, err)
		}
	}},
}

// transferAll copies a registry from bucket to bucket, and replaces blobs with wrong content.
func transferAll(t *testing.T, c cloud, from, to string) {
	t.Helper()
	var stores []*blobstore.Store
	for _, bucket := range []string{from, to} {
		s, err := blobstore.New(look(t, c, bucket), blobstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		stores = append(stores, s)
	}
	problem := func(p transfer.Problem) {
		if p.Kind != transfer.Replaced && p.Kind != transfer.Moved {
			t.Errorf("copy: %+v", p)
		}
	}
	if _, err := transfer.Copy(t.Context(), stores[0], stores[1], transfer.Options{Verify: true, Problem: problem}); err != nil {
		t.Errorf("copy: %v", err)
	}
}

// pushChunked pushes c by POST and a PUT of unknown length.
func pushChunked(t *testing.T, base string, c content) {
	t.Helper()
	at := withDigest(begin(t, base, "app"), c.digest())
	res, err := send(t, http.MethodPut, at, nil, struct{ io.Reader }{c.reader()}, -1)
	if err != nil {
		t.Fatal(err)
	}
	res.want(t, http.StatusCreated)
}

// TestAppendBlobs pushes to a registry that distribution's azure driver wrote: versions
// 3.0.0 to 3.1.1 wrote every object as an append blob, and all of 3.x write layers so.
// https://github.com/distribution/distribution/pull/4871
func TestAppendBlobs(t *testing.T) {
	t.Parallel()
	for _, s := range stores(t) {
		if !strings.HasPrefix(s.name, "azure") || s.name == "azure" && !full() {
			continue // the laws' is the store as it is documented
		}
		for _, tt := range onAppendBlobs {
			t.Run(s.name+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				s.run(t, func(t *testing.T) { tt.run(t, newAppended(t, s.open(t))) })
			})
		}
	}
}

// appended is a container whose objects can be made append blobs.
type appended struct {
	store    cloud
	bucket   string
	behind   driver.Bucket     // the emulator's bucket, without laws
	emulator *container.Client // the same
}

func newAppended(t *testing.T, store cloud) appended {
	t.Helper()
	c, ok := plainly(t, store).(azureCloud)
	if !ok {
		t.Fatalf("%T is no store of Azure's", store)
	}
	bucket := store.newBucket(t)
	client, err := c.Container(bucket)
	if err != nil {
		t.Fatal(err)
	}
	return appended{store, bucket, look(t, c, bucket), client}
}

// serve starts a registry that has nothing of the container in its cache.
func (a appended) serve(t *testing.T) (base string) {
	t.Helper()
	return serve(t, inParts(t, a.store, a.bucket)).URL
}

// convert replaces each object by an append blob of the same bytes.
func (a appended) convert(t *testing.T) {
	t.Helper()
	for _, key := range keys(t, a.behind) {
		if strings.Contains(key, "/_uploads/") {
			continue // it is being removed
		}
		r, err := a.behind.Open(t.Context(), key, driver.Range{}, driver.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		_ = r.Close()
		if err != nil {
			t.Fatal(err)
		}
		if err := a.behind.Delete(t.Context(), key, driver.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		a.create(t, key, data)
	}
}

// appendMax is the size of the largest block that every version of the protocol appends.
// https://learn.microsoft.com/en-us/rest/api/storageservices/append-block
const appendMax = 4 << 20

// create makes an append blob.
func (a appended) create(t *testing.T, key string, data []byte) {
	t.Helper()
	b := a.emulator.NewAppendBlobClient(key)
	if _, err := b.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for len(data) > 0 {
		n := min(len(data), appendMax)
		if _, err := b.AppendBlock(t.Context(), streaming.NopCloser(bytes.NewReader(data[:n])), nil); err != nil {
			t.Fatal(err)
		}
		data = data[n:]
	}
}
