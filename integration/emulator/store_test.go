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
