package integration_test

import (
	"flag"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/blobdock/blobdock/integration/emulator"
)

// update reports whether to write the golden files. The flag is drivertest's.
func update() bool { return flag.Lookup("update").Value.String() == "true" }

// full tells that tests take the sizes that the emulators are slow with, too.
func full() bool { return os.Getenv("BLOBDOCK_TEST_FULL") != "" }

func TestMain(m *testing.M) {
	logrus.SetOutput(io.Discard) // distribution's log
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	// With it distribution's own S3 driver changes http.DefaultTransport, while others
	// use that.
	_ = os.Unsetenv("AWS_CA_BUNDLE")
	dir, err := os.MkdirTemp("", "blobdock-integration-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	programDir = dir
	defer os.RemoveAll(dir)
	return emulator.Run(m)
}
