package driver

import (
	"errors"
	"math"
	"net/url"
	"strings"
	"testing"
	"time"
)

func params(t *testing.T, query string) *Params {
	t.Helper()
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return NewParams(q)
}

func TestParams(t *testing.T) {
	p := params(t, "mode=b&on=yes&off=0&n=7&wait=90s&size=16MiB&empty=")
	if got := p.String("mode", "a", "a", "b"); got != "b" {
		t.Errorf("mode is %q", got)
	}
	if got := p.String("region", "none"); got != "none" {
		t.Errorf("region is %q", got)
	}
	if got := p.String("empty", "default"); got != "default" {
		t.Errorf("empty is %q", got)
	}
	if !p.Bool("on", false) || p.Bool("off", true) || !p.Bool("unset", true) {
		t.Error("wrong booleans")
	}
	if got := p.Int("n", 1, 1, 10); got != 7 {
		t.Errorf("n is %d", got)
	}
	if got := p.Duration("wait", 0, 0, time.Hour); got != 90*time.Second {
		t.Errorf("wait is %v", got)
	}
	if got := p.Bytes("size", 0, 0, 1<<30); got != 16<<20 {
		t.Errorf("size is %d", got)
	}
	if err := p.Err(); err != nil {
		t.Error(err)
	}
}

// TestParamsRefuse checks that an error names the parameter and what is allowed.
func TestParamsRefuse(t *testing.T) {
	for _, tt := range []struct {
		query string
		words []string
	}{
		{"mode=c", []string{`mode="c"`, "one of a, b"}},
		{"on=maybe", []string{`on="maybe"`, "true or false"}},
		{"n=11", []string{`n="11"`, "from 1 to 10"}},
		{"n=x", []string{`n="x"`, "whole number"}},
		{"wait=10", []string{`wait="10"`, "duration from 1s to 1h0m0s", "20m"}},
		{"wait=2h", []string{`wait="2h"`, "duration"}},
		{"size=4MiB", []string{`size="4MiB"`, "from 5MiB to 5GiB"}},
		{"size=-1", []string{`size="-1"`, "a size"}},
		{"mode=a&mode=b", []string{`"mode"`, "2 times"}},
		{"moed=a", []string{`unknown parameter "moed"`, "mode, n, on, size, wait"}},
	} {
		p := params(t, tt.query)
		p.String("mode", "a", "a", "b")
		p.Bool("on", false)
		p.Int("n", 1, 1, 10)
		p.Duration("wait", time.Second, time.Second, time.Hour)
		p.Bytes("size", 8<<20, 5<<20, 5<<30)
		err := p.Err()
		if !errors.Is(err, Invalid) {
			t.Errorf("%s: got %v, want Invalid", tt.query, err)
			continue
		}
		for _, w := range tt.words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not say %q", tt.query, err, w)
			}
		}
	}
}

func TestParseBytes(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "1": 1, "5B": 5, "1KB": 1000, "1KiB": 1024, "1kib": 1024, "2 MiB": 2 << 20, "3MB": 3e6, "1GiB": 1 << 30, "1GB": 1e9,
		"1TiB": 1 << 40, "1TB": 1e12, "9223372036854775807": math.MaxInt64, "8388607TiB": 8388607 << 40,
	} {
		if got, err := ParseBytes(s); got != want || err != nil {
			t.Errorf("ParseBytes(%q) = %d, %v; want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "B", "MiB", "-1", "1.5MiB", "x", "1XB", "1 2", "9223372036854775808", "8388608TiB", "99999999999999TiB", "-5MiB", "0x10"} {
		if got, err := ParseBytes(s); !errors.Is(err, Invalid) {
			t.Errorf("ParseBytes(%q) = %d, %v; want Invalid", s, got, err)
		}
	}
}

func TestFormatBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0B", 1: "1B", 1023: "1023B", 1024: "1KiB", 1536: "1536B", 5 << 20: "5MiB", 5<<20 + 1024: "5121KiB", 1 << 40: "1TiB", 1e9: "1000000000B"} {
		if got := FormatBytes(n); got != want {
			t.Errorf("FormatBytes(%d) = %q, want %q", n, got, want)
		}
	}
}

func FuzzParseBytes(f *testing.F) {
	for _, s := range []string{"0", "16MiB", "1 KB", "9223372036854775807", "8388608TiB", "+1", "1e3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseBytes(s)
		if err != nil {
			if !errors.Is(err, Invalid) {
				t.Errorf("ParseBytes(%q): %v", s, err)
			}
			return
		}
		if n < 0 {
			t.Errorf("ParseBytes(%q) = %d", s, n)
		}
		if again, err := ParseBytes(FormatBytes(n)); again != n || err != nil {
			t.Errorf("ParseBytes(%q) = %d, which reads back as %d, %v", s, n, again, err)
		}
	})
}
