package emulator

import (
	"os"
	"strings"
	"testing"
)

func TestPinnedStores(t *testing.T) {
	for _, pin := range []string{
		"github.com/johannesboyne/gofakes3 " + gofakes3Version, "github.com/versity/versitygw " + versitygwVersion,
		"github.com/rclone/rclone " + rcloneVersion, "github.com/seaweedfs/seaweedfs " + seaweedFSVersion,
	} {
		name := pin[strings.LastIndexByte(pin[:strings.IndexByte(pin, ' ')], '/')+1 : strings.IndexByte(pin, ' ')]
		b, err := os.ReadFile(name + "/go.mod")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), pin) {
			t.Errorf("%s/go.mod doesn't pin %s", name, pin)
		}
	}
}

// TestStores starts each store, in full runs: some take minutes to build.
func TestStores(t *testing.T) {
	if os.Getenv("BLOBDOCK_TEST_FULL") == "" {
		t.Skip("BLOBDOCK_TEST_FULL is not set: some take minutes to build")
	}
	for _, name := range Stores() {
		t.Run(name, func(t *testing.T) {
			s := NewStore(t, name)
			bucket := s.NewBucket(t)
			want := strings.Repeat("blobdock ", 1<<17)
			put(t, s, bucket, "a/key", want)
			if got := get(t, s, bucket, "a/key"); got != want {
				t.Errorf("got %d bytes, want the %d that were put", len(got), len(want))
			}
		})
	}
}
