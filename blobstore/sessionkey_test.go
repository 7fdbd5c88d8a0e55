package blobstore

import (
	"testing"

	"github.com/blobdock/blobdock/internal/layout"
)

func TestSessionOf(t *testing.T) {
	const id = "0b9a2f6e-9b0c-4a51-8a4d-0b1d2b8f2c11"
	dir := layout.Layout{Root: layout.DefaultRoot}.Upload("a", id)
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
