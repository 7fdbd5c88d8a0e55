package emulator

import (
	"os"
	"testing"
)

func TestGone(t *testing.T) {
	if gone(owner()) {
		t.Error("this process counts as gone")
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", host, host + ".x", host + ".0", host + ".-1", "another-host.1"} {
		if gone(name) {
			t.Errorf("gone(%q), want false: nothing is known of it", name)
		}
	}
}
