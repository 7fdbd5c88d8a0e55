package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// run executes a command as the shell would.
func run(t *testing.T, cmd *cobra.Command, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// abandoned makes a directory with an upload of distribution's own, touched that
// long ago.
func abandoned(t *testing.T, age time.Duration) (dir, file string) {
	t.Helper()
	dir = t.TempDir()
	file = filepath.Join(dir, "docker/registry/v2/repositories/team/app/_uploads/019b0c4e-7b6a-4c0e-9d3f-0123456789ab/startedat")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("2026-01-01T00:00:00Z"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-age)
	if err := os.Chtimes(file, at, at); err != nil {
		t.Fatal(err)
	}
	return dir, file
}

func TestSweep(t *testing.T) {
	for _, tt := range []struct {
		name string
		age  time.Duration
		args []string
		want string
		gone bool
	}{
		{"old", 169 * time.Hour, nil, "0 uploads, 1 older upload folders and 0 multipart uploads removed", true},
		{"young", 167 * time.Hour, nil, "0 uploads, 0 older upload folders and 0 multipart uploads removed", false},
		{"younger than asked for", 23 * time.Hour, []string{"--older-than", "22h"}, "folder   docker/registry/v2/repositories/team/app/_uploads/019b0c4e-7b6a-4c0e-9d3f-0123456789ab", true},
		{"dry run", 169 * time.Hour, []string{"--dry-run"}, "1 older upload folders and 0 multipart uploads would be removed", false},
		{"json", 169 * time.Hour, []string{"--json"}, `{"dryrun":false,"folders":1,"parts":0,"uploads":0}`, true},
	} {
		dir, file := abandoned(t, tt.age)
		got, err := run(t, sweepCommand(), append(tt.args, "file://"+dir)...)
		if err != nil || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %v, printed\n%swant %q", tt.name, err, got, tt.want)
		}
		if _, err := os.Stat(file); os.IsNotExist(err) != tt.gone {
			t.Errorf("%s: the file is gone: %v, want %v", tt.name, os.IsNotExist(err), tt.gone)
		}
	}
}

func TestSweepRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		"--older-than": {"--older-than", "1s", "mem://x"},
		"accepts 1":    {},
		"ftp":          {"ftp://host"},
		"lookups":      {"mem://x?lookups=0"},
	} {
		_, err := run(t, sweepCommand(), args...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want one that names %q", args, err, want)
		}
	}
}
