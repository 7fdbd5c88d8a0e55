package blobstore

import (
	"testing"

	"github.com/opencontainers/go-digest"
)

func TestLayout(t *testing.T) {
	l := layout{DefaultRoot}
	d := digest.Digest("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
	if got, want := l.blob(d), "docker/registry/v2/blobs/sha256/e3/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/data"; got != want {
		t.Errorf("blob: %s, want %s", got, want)
	}
	if got, ok := l.blobDigest(l.blob(d)); !ok || got != d {
		t.Errorf("blobDigest(blob(%s)) = %s, %v", d, got, ok)
	}
	if got, want := l.layerLink("a/b", d), "docker/registry/v2/repositories/a/b/_layers/sha256/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/link"; got != want {
		t.Errorf("layerLink: %s, want %s", got, want)
	}
	if got, ok := l.layerDigest("a/b", l.layerLink("a/b", d)); !ok || got != d {
		t.Errorf("layerDigest(layerLink(%s)) = %s, %v", d, got, ok)
	}
	for _, key := range []string{"", "docker/registry/v2/blobs/", "docker/registry/v2/blobs/sha256/00/" + d.Encoded() + "/data", "docker/registry/v2/blobs/sha256/e3/e3b0/data"} {
		if got, ok := l.blobDigest(key); ok {
			t.Errorf("blobDigest(%q) = %s", key, got)
		}
	}
}

func TestSessionOf(t *testing.T) {
	const id = "0b9a2f6e-9b0c-4a51-8a4d-0b1d2b8f2c11"
	dir := layout{DefaultRoot}.uploadDir("a", id)
	for key, want := range map[string]string{
		dir + "/data": dir + "/session",
		"x/data":      "x/_session.data",
		"y":           "_session.y",
	} {
		if got := SessionOf(key); got != want || !IsSession(got) {
			t.Errorf("SessionOf(%q) = %q, want %q", key, got, want)
		}
	}
	for _, key := range []string{"session", "a/session", dir + "/data", dir + "/startedat"} {
		if IsSession(key) {
			t.Errorf("IsSession(%q)", key)
		}
	}
}
