package emulator

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// killedOwner starts a server in another process, kills that, and returns the
// server it leaves behind.
func killedOwner(t *testing.T, way string) S3 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), orphanVar+"="+way)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.HasPrefix(line, "error:") {
		t.Fatalf("owner: %s %v", line, err)
	}
	s := minioS3(strings.TrimSpace(line), way)
	if err := s.ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	return s
}

// endsSoon waits for the server to be gone.
func endsSoon(t *testing.T, s S3) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for s.ping(t.Context()) == nil {
		if time.Now().After(deadline) {
			t.Fatalf("the server at %s outlives its owner", s.Endpoint)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// What a killed test leaves behind goes away: a process with it, the rest at
// the next start.
func TestKilledOwner(t *testing.T) {
	cleaned := map[string]func(t *testing.T, s S3){Native: nativeCleaned}
	if os.Getenv(wayVar) == Docker { // else there may be no engine
		cleaned[Docker] = dockerCleaned
	}
	for way, check := range cleaned {
		t.Run(way, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			check(t, killedOwner(t, way))
		})
	}
}

func nativeCleaned(t *testing.T, s S3) {
	endsSoon(t, s)
	left, err := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix(minio())+"*"))
	if err != nil || len(left) != 1 {
		t.Fatalf("folders left: %v, %v, want the killed owner's", left, err)
	}
	sweepDirs(minio())
	if exists(left[0]) {
		t.Errorf("%s is still there after the sweep", left[0])
	}
}

func dockerCleaned(t *testing.T, s S3) {
	cli, err := engine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer cli.Close()
	sweepContainers(t.Context(), cli)
	endsSoon(t, s)
}
