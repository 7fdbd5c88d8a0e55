package layout_test

import (
	"testing"

	"github.com/blobdock/blobdock/internal/layout"
)

func TestIsHidden(t *testing.T) {
	for _, tt := range []struct {
		key  string
		want bool
	}{
		{layout.Chain("file") + "s/0", true},
		{layout.Chain("some/file") + "s/0", true},
		{"_chain.file/", true}, // as listings with a delimiter have it
		{"some/_chain.file/", true},
		{"some/_session.file", true},
		{"_session.file", true},
		{"some/file", false},
		{"some/file_chain.", false},
		{"some/_session.file/data", false},
		{"", false},
	} {
		if got := layout.IsHidden(tt.key); got != tt.want {
			t.Errorf("IsHidden(%q) = %t, want %t", tt.key, got, tt.want)
		}
	}
	if got, want := layout.Chain("some/file"), "some/_chain.file/"; got != want {
		t.Errorf("Chain: %q, want %q", got, want)
	}
}
