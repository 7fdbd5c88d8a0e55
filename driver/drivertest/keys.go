package drivertest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/blobdock/blobdock/driver"
)

// oddKeys are legal, and rewritten by careless code.
func oddKeys(maxKey int) []string {
	// No segment has over 255 bytes, which file systems don't keep.
	long := strings.Repeat(strings.Repeat("k", 199)+"/", maxKey/200+1)[:maxKey-1] + "x"
	keys := []string{
		"plus+plus", "per%cent", "per%20cent", "per%2Fcent", "%", "%%", "que?ry=1&b=2", "hash#hash", "semi;colon", "a&b", "a=b",
		"two  spaces", " leading", "trailing ", "inner /space", "a\\b", "\"quotes\"", "'single'", "<xml>&amp;</xml>", "{brace}", "[bracket]",
		"star*", "pipe|", "caret^", "tick`", "tilde~", "bang!", "dollar$HOME", "paren(x)", "comma,colon:", "at@",
		"...", "..x", "x..", ".hidden", "dir/.hidden", "dir/...", "-dash", "_under",
		"é", "e\u0301", "日本語/キー", "𝛼𝛽", "mixed/ünï/cödé", "ﬁ", "\u00a0nbsp", "\u200bzero-width",
		"UPPER", "upper", "con", "aux.txt",
		"docker/registry/v2/blobs/sha256/ab/abcd/data",
		long, "ü" + strings.Repeat("/"+strings.Repeat("ü", 100), 4),
	}
	// All printable bytes, a few in each key: "*", "+" and others are above by themselves.
	for first := byte(0x20); first < 0x7f; first += 8 {
		key := fmt.Sprintf("byte/%02x", first)
		for c := first; c < min(first+8, 0x7f); c++ {
			if c != '/' {
				key += fmt.Sprintf("-%c", c)
			}
		}
		keys = append(keys, key+"-x")
	}
	return keys
}

func keyBytes(t *testing.T, s suite) {
	b := s.New(t)
	keys := oddKeys(s.MaxKey)
	refused := []string{"", "/", "/lead", "trail/", "a//b", ".", "..", "a/./b", "a/../b", "../a", "a/..", "nul\x00", "line\n", "del\x7f", "\xff", strings.Repeat("k", s.MaxKey+1)}
	if s.excepted(t, "key-bytes/backslash") {
		keys = slices.DeleteFunc(keys, func(key string) bool { return strings.Contains(key, "\\") })
		refused = append(refused, "a\\b")
	}
	if s.excepted(t, "key-bytes/utf-16") {
		keys = slices.DeleteFunc(keys, func(key string) bool {
			return strings.ContainsFunc(key, func(r rune) bool { return r > 0xffff })
		})
	}
	for _, key := range keys {
		data := []byte("content of " + key)
		obj, err := b.Put(t.Context(), key, section(data), driver.WriteOptions{})
		if err != nil {
			t.Errorf("Put(%q): %v", key, err)
			continue
		}
		if obj.Key != key {
			t.Errorf("Put(%q) says key %q", key, obj.Key)
		}
		// What encodes wrongly may decode wrongly too: the key must also be the one
		// that the listing has, below.
		if got := get(t, b, key, driver.Range{}); string(got) != string(data) {
			t.Errorf("Open(%q): got %q", key, got)
		}
	}
	want := slices.Sorted(slices.Values(keys))
	if diff := cmp.Diff(want, keysOf(t, b, driver.ListRequest{})); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, keysOf(t, b, driver.ListRequest{Limit: 1})); diff != "" {
		t.Errorf("List in pages of 1 (-want +got):\n%s", diff)
	}
	for _, key := range keys {
		if got := keysOf(t, b, driver.ListRequest{Prefix: key, Limit: 1}); len(got) == 0 || got[0] != key {
			t.Errorf("List with prefix %q: got %q", key, got)
		}
		noError(t, fmt.Sprintf("Delete(%q)", key), b.Delete(t.Context(), key, driver.DeleteOptions{}))
	}
	if got := keysOf(t, b, driver.ListRequest{}); len(got) != 0 {
		t.Errorf("still there: %q", got)
	}
	if b.Features().Uploads != nil {
		u, parts := uploaded(t, b, keys[6], []byte("x"))
		complete(t, b, u, parts...)
		wantContent(t, b, keys[6], []byte("x"))
		noError(t, "Delete", b.Delete(t.Context(), keys[6], driver.DeleteOptions{}))
	}

	for _, key := range refused {
		for op, err := range allVerbs(t.Context(), b, key) {
			wantKind(t, fmt.Sprintf("%s(%q)", op, key), err, driver.Invalid)
		}
	}
	if got := keysOf(t, b, driver.ListRequest{}); len(got) != 0 {
		t.Errorf("refused keys left %q behind", got)
	}
}
