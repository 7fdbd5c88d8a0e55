package main

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/blobdock/blobdock/driver"
)

// machine is what the program runs on.
type machine struct {
	OS          string            `json:"os"`
	Arch        string            `json:"arch"`
	CPUs        int               `json:"cpus"`         // that may be used at the same time
	MemoryLimit int64             `json:"memory_limit"` // of the container in bytes; 0 is none, or unknown
	GoMemory    int64             `json:"go_memory"`    // GOMEMLIMIT in bytes; 0 is none, for which serve sets its own
	OpenFiles   uint64            `json:"open_files"`   // that the process may have; 0 is unknown
	Libraries   map[string]string `json:"libraries"`    // versions by module
}

// libraries are the modules whose versions a bug report should tell, and short names for them.
var libraries = []struct{ module, name string }{
	{"github.com/distribution/distribution/v3", "distribution"},
	{"github.com/aws/aws-sdk-go-v2/service/s3", "S3 library"},
	{"cloud.google.com/go/storage", "GCS library"},
	{"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob", "Azure library"},
}

func thisMachine() machine {
	m := machine{
		OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.GOMAXPROCS(0),
		MemoryLimit: containerMemory(), OpenFiles: openFiles(), Libraries: make(map[string]string),
	}
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		m.GoMemory = limit
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			for _, l := range libraries {
				if l.module == d.Path {
					m.Libraries[l.module] = d.Version
				}
			}
		}
	}
	return m
}

// containerMemory reads the limit of the control group, as it shows inside of a container.
// https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
func containerMemory() int64 {
	text, err := os.ReadFile("/sys/fs/cgroup/memory.max")
	if err != nil {
		return 0
	}
	limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0 // "max"
	}
	return limit
}

func (m machine) rows() []effect {
	files := "unknown"
	if m.OpenFiles > 0 {
		files = strconv.FormatUint(m.OpenFiles, 10)
	}
	limit := func(bytes int64) string { return onOff(bytes > 0, driver.FormatBytes(bytes), "none") }
	all := []effect{
		{"system", fmt.Sprintf("%s/%s, %d CPUs", m.OS, m.Arch, m.CPUs)},
		{"memory", fmt.Sprintf("limit of the container %s, GOMEMLIMIT %s", limit(m.MemoryLimit), limit(m.GoMemory))},
		{"open files", files},
	}
	for _, l := range libraries {
		if version := m.Libraries[l.module]; version != "" {
			all = append(all, effect{l.name, version})
		}
	}
	return all
}

// resident is what the program takes beside the Go heap.
const resident = 128 << 20

// examineMemory compares the container's limit with what serve takes.
func (r *report) examineMemory(budget int64) {
	want := budget + overhead + resident
	if limit := r.Machine.MemoryLimit; limit > 0 && limit < want {
		r.remark("memory", fmt.Sprintf("the container has %s, and memory_budget %s wants %s: raise the limit, or lower memory_budget",
			driver.FormatBytes(limit), driver.FormatBytes(budget), driver.FormatBytes(want)))
	}
}
