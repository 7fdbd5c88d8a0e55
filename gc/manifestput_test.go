package gc_test

import (
	"errors"
	"testing"

	"github.com/distribution/distribution/v3"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/tombstone"
)

// TestSlowPut puts a manifest whose config is condemned: the config is rescued, and all layers are
// looked for.
func TestSlowPut(t *testing.T) {
	onEach(t, func(t *testing.T, b driver.Bucket) {
		r := newReplica(t, b)
		config, layer := r.blob("app", v1.MediaTypeImageConfig, "{}"), r.blob("app", v1.MediaTypeImageLayerGzip, "layer")
		m := manifest(t, nil, config, layer)
		s := condemned(t, b, config.Digest, keys.Blob(config.Digest))
		if err := b.Delete(t.Context(), keys.LayerLink("app", layer.Digest), driver.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		other := newReplica(t, b)
		if err := other.repository("app").Push(t.Context(), m, "v1"); !errors.As(err, new(distribution.ErrManifestVerification)) {
			t.Errorf("without a layer: %v", err)
		}
		other.blob("app", v1.MediaTypeImageLayerGzip, "layer")
		if err := other.repository("app").Push(t.Context(), m, "v1"); err != nil {
			t.Fatal(err)
		}
		if s, err := tombstone.Read(t.Context(), b, s.At); err != nil || s.State != tombstone.Rescued {
			t.Errorf("the config is %s, %v; want it rescued", s.State, err)
		}
		if err := whole(t, b, "app", "v1"); err != nil {
			t.Error(err)
		}
	})
}
