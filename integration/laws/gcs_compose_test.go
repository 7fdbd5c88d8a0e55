package laws_test

import (
	"testing"

	"google.golang.org/api/storage/v1"

	"github.com/blobdock/blobdock/integration/laws"
)

func composeClass(t *testing.T) {
	c := newGCSClient(t, laws.Options{}, "compose-class")
	c.put(t, &storage.Object{Name: "standard"}, "s")
	c.put(t, &storage.Object{Name: "cold", StorageClass: "COLDLINE"}, "c")
	cold := &storage.Object{StorageClass: "COLDLINE"}
	for _, tt := range []struct {
		name    string
		to      *storage.Object
		sources []string
		reason  string
	}{
		{"two classes", cold, []string{"cold", "standard"}, "400 invalid"},
		{"another than the destination's", cold, []string{"standard"}, "400 invalid"},
		{"another than the default", nil, []string{"cold"}, "400 invalid"},
		{"the destination's", cold, []string{"cold", "cold"}, ""},
	} {
		_, err := c.join(tt.to, "joined", false, tt.sources...).Do()
		wantReason(t, tt.name, err, tt.reason)
		if tt.reason != "" {
			c.wantStored(t, "joined", "")
		}
	}
	c.wantStored(t, "joined", "cc")
	_, err := c.join(nil, "default", false, "standard").Do()
	wantReason(t, "the default class", err, "")

	inherits := newGCSClient(t, laws.Options{GCS: laws.GCSOptions{ComposeInherits: true}}, "compose-class")
	inherits.put(t, &storage.Object{Name: "cold", StorageClass: "COLDLINE"}, "c")
	o, err := inherits.join(nil, "joined", false, "cold").Do()
	wantReason(t, "the sources' class", err, "")
	if o.StorageClass != "COLDLINE" {
		t.Errorf("the composite object has the class %s, want COLDLINE", o.StorageClass)
	}
}

func composeSources(t *testing.T) {
	c := newGCSClient(t, laws.Options{}, "compose-sources")
	c.put(t, &storage.Object{Name: "a"}, "1")
	old := c.put(t, &storage.Object{Name: "d/b"}, "x")
	c.put(t, &storage.Object{Name: "d/b"}, "2")
	_, err := c.join(nil, "joined", true, "a", "gone").Do()
	wantReason(t, "a source that is gone", err, "404 notFound")
	_, err = c.Compose(c.bucket, "joined", &storage.ComposeRequest{
		SourceObjects: []*storage.ComposeRequestSourceObjects{{Name: "d/b", Generation: old}}, DeleteSourceObjects: true,
	}).Do()
	wantReason(t, "a version that is gone", err, "404 notFound")
	_, err = c.join(nil, "joined", true).Do()
	wantReason(t, "no source", err, "400 required")
	c.wantStored(t, "joined", "")

	_, err = c.join(nil, "joined", false, "a", "d/b").Do()
	wantReason(t, "sources that stay", err, "")
	c.wantStored(t, "a", "1")
	_, err = c.join(nil, "a", true, "a", "d/b").Do()
	wantReason(t, "sources that go", err, "")
	c.wantStored(t, "a", "12")
	c.wantStored(t, "d/b", "")
}

func rewriteClass(t *testing.T) {
	c := newGCSClient(t, laws.Options{}, "rewrite-class")
	c.put(t, &storage.Object{Name: "a"}, "1")
	for name, class := range map[string]string{"cold": "COLDLINE", "plain": "STANDARD"} {
		got, err := c.Rewrite(c.bucket, "a", c.bucket, name, &storage.Object{StorageClass: class}).Do()
		wantReason(t, "rewrite", err, "")
		if !got.Done || got.Resource.StorageClass != class || got.Resource.Name != name {
			t.Errorf("rewrite to %s: %+v", class, got)
		}
		o, err := c.direct.Get(c.bucket, name).Do()
		if err != nil || o.StorageClass != class {
			t.Errorf("%s has the class %+v (%v), want %s", name, o, err, class)
		}
		c.wantStored(t, name, "1")
	}
}

func composeChecksum(t *testing.T) {
	c := newGCSClient(t, laws.Options{}, "compose-checksum")
	c.put(t, &storage.Object{Name: "a"}, "123")
	c.put(t, &storage.Object{Name: "b"}, "456789")
	for _, tt := range []struct{ name, sum, reason string }{
		{"another sum", "AAAAAA==", "400 invalid"},
		{"no sum at all", "4waSgw", "400 invalid"},
		{"the sum", "4waSgw==", ""}, // e3069283, the CRC's check value
		{"none", "", ""},
	} {
		c.put(t, &storage.Object{Name: "joined"}, "old")
		_, err := c.join(&storage.Object{Crc32c: tt.sum}, "joined", false, "a", "b").Do()
		wantReason(t, tt.name, err, tt.reason)
		if tt.reason != "" {
			c.wantStored(t, "joined", "old")
		} else {
			c.wantStored(t, "joined", "123456789")
		}
	}
}
