package emulator

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// A test that is killed leaves its data folder behind, and its container when
// no reaper runs. Both carry the owner's name; the next start removes those
// whose owner is gone.

// owner names this process: the host too, because processes in two containers
// may share a temporary folder or a Docker engine, and there a number says nothing.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s.%d", host, os.Getpid())
}

// gone is true only when the owner surely ran here and surely ended.
func gone(name string) bool {
	dot := strings.LastIndexByte(name, '.')
	host, err := os.Hostname()
	if dot < 0 || err != nil || name[:dot] != host {
		return false
	}
	pid, err := strconv.Atoi(name[dot+1:])
	if err != nil || pid <= 0 {
		return false
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer func() { _ = p.Release() }()
	return errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone) // signal 0 only asks
}

func dirPrefix(svc service) string { return "blobdock." + svc.name + "." }

// sweepDirs does what it can: a folder that stays is no reason to fail a test.
func sweepDirs(svc service) {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix(svc)+"*"))
	for _, dir := range dirs {
		name := strings.TrimPrefix(filepath.Base(dir), dirPrefix(svc))
		if dot := strings.LastIndexByte(name, '.'); dot > 0 && gone(name[:dot]) {
			_ = os.RemoveAll(dir)
		}
	}
}
