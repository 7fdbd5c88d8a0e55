package driver

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCheckKey(t *testing.T) {
	for _, key := range []string{
		"a", "a/b", ".a", "a.", "...", "a/...", "..a/b..", " ", "a b", "+%20?#&=;", "é/日本", "\\", "~", "a/.b/c",
		strings.Repeat("k", MaxKey), strings.Repeat("é", MaxKey/2),
	} {
		if err := CheckKey(key); err != nil {
			t.Errorf("CheckKey(%q): %v", key, err)
		}
	}
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "./a", "../a", "a/.", "a/..", "a/./b", "a/../b", "//",
		"\x00", "a\x00b", "a\nb", "\x1f", "\x7f", "\xff", "a\xc3", strings.Repeat("k", MaxKey+1), strings.Repeat("é", MaxKey/2) + "x",
	} {
		if err := CheckKey(key); !errors.Is(err, Invalid) {
			t.Errorf("CheckKey(%q) = %v, want Invalid", key, err)
		}
	}
}

func FuzzCheckKey(f *testing.F) {
	for _, s := range []string{"a", "a/b", "..", "a//b", "é", "\xff", "a/../b", "x\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if err := CheckKey(key); err != nil {
			if !errors.Is(err, Invalid) || !utf8.ValidString(err.Error()) {
				t.Errorf("CheckKey(%q): %q", key, err)
			}
			return
		}
		// What passes is safe to put into a path and a URL, and stays so below a prefix.
		if strings.HasPrefix(key, "/") || strings.HasSuffix(key, "/") || strings.ContainsAny(key, "\x00\n\r") {
			t.Errorf("CheckKey(%q) passes", key)
		}
		for _, seg := range strings.Split(key, "/") {
			if seg == "" || seg == "." || seg == ".." {
				t.Errorf("CheckKey(%q) passes", key)
			}
		}
		if len(key)+2 <= MaxKey && CheckKey("p/"+key) != nil {
			t.Errorf("CheckKey(%q) refuses it below a prefix", key)
		}
	})
}
