package verify_test

import (
	"context"
	"flag"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/verify"
)

var (
	storageURL = flag.String("url", "", "verify the bucket that this URL names, instead of the emulators")
	reportFile = flag.String("report", "verify-cloud.md", "where the report on -url is written")
	version    = flag.String("version", "", "blobdock's version, for the report")
	brief      = flag.Bool("brief", false, "leave out what takes the conformance suite a thousand requests")
	suite      = flag.Bool("suite", false, "run the conformance suite alone, below the URL behind the flags")
)

func TestMain(m *testing.M) {
	flag.Parse()
	logrus.SetOutput(io.Discard) // distribution's log
	os.Exit(emulator.Run(m))
}

// TestVerifyCloud verifies the bucket that -url names and writes a report. Without -url it
// verifies the emulators, plain and behind laws.
func TestVerifyCloud(t *testing.T) {
	switch {
	case *suite:
		verify.Suite(t, flag.Arg(0), *brief)
	case *storageURL != "":
		verifyBucket(t)
	default:
		verifyEmulators(t)
	}
}

// lastMinutes are left for the removal and the report when the time of go test ends.
const lastMinutes = 6 * time.Minute

func verifyBucket(t *testing.T) {
	t.Helper()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second interrupt ends the process
	if end, ok := t.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-lastMinutes))
		defer cancel()
	}
	r, err := verify.Run(ctx, verify.Options{
		URL: *storageURL, Suite: suiteCommand(t, "^TestVerifyCloud$", *brief), Version: buildVersion(),
		Log: func(format string, args ...any) { t.Logf(format, args...) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(*reportFile, []byte(r.Markdown()), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("the report is %s", *reportFile)
	for _, f := range r.Failures() {
		t.Error(f)
	}
}

// suiteCommand has this program run those of the conformance suite's clauses whose test
// names match run.
func suiteCommand(t *testing.T, run string, brief bool) []string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := []string{program, "-test.run=" + run, "-test.v=test2json", "-test.timeout=50m", "-suite"}
	if brief {
		command = append(command, "-brief")
	}
	return command
}

// buildVersion is what -version says, else what this program was built from.
func buildVersion() string {
	if *version != "" {
		return *version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return strings.TrimSpace(info.Main.Version)
}
