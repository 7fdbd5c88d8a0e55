package main

import (
	"os"
	"runtime"
	"strings"
	"time"
)

// Machine is what the numbers belong to.
type Machine struct {
	Time   time.Time `json:"time"`
	System string    `json:"system"`
	CPU    string    `json:"cpu"`
	Cores  int       `json:"cores"`
	SHA    bool      `json:"sha"` // whether the CPU has instructions for SHA-256
	Go     string    `json:"go"`
	Load   string    `json:"load"` // average of the last minute, when the run began
}

func thisMachine() Machine {
	m := Machine{
		Time: time.Now().UTC().Truncate(time.Second), System: runtime.GOOS + "/" + runtime.GOARCH,
		Cores: runtime.NumCPU(), Go: runtime.Version(),
	}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.CPU = field(string(b), "model name")
		m.SHA = strings.Contains(" "+field(string(b), "flags")+" ", " sha_ni ")
	}
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load, _, _ = strings.Cut(string(b), " ")
	}
	return m
}

// field is the value of the first line "name : value".
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
