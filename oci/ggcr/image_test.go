package ggcr_test

import (
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/oci/ggcr"
)

// TestImage writes an image twice and reads it by tag and digest.
func TestImage(t *testing.T) {
	s, err := blobstore.New(mem.New(), blobstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, err := ggcr.New(s, "team/app")
	if err != nil {
		t.Fatal(err)
	}
	img, err := random.Image(10<<10, 3)
	if err != nil {
		t.Fatal(err)
	}
	want, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{"v1", ""} {
		if err := r.Write(t.Context(), tag, img); err != nil {
			t.Fatal(err)
		}
	}
	for _, ref := range []string{"v1", want.String()} {
		got, err := r.Image(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := got.Digest(); err != nil || d != want {
			t.Errorf("%s: %v, want %v (%v)", ref, d, want, err)
		}
		if err := validate.Image(got); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
	if _, err := r.Image(t.Context(), "absent"); err == nil {
		t.Error("an absent image was read")
	}
}
