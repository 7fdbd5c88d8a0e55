package driver

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxKey is the longest key in bytes that all stores keep, prefix included.
// S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
// GCS: https://cloud.google.com/storage/docs/objects#naming
const MaxKey = 1024

// CheckKey returns an Invalid error for a key that not every store keeps byte
// for byte: empty, too long, not UTF-8, with NUL or other control characters, a leading
// slash, or an empty, "." or ".." segment (proxies and file systems rewrite these).
func CheckKey(key string) error {
	switch {
	case key == "":
		return fmt.Errorf("key is empty: %w", Invalid)
	case len(key) > MaxKey:
		return fmt.Errorf("key has %d bytes, at most %d are allowed: %w", len(key), MaxKey, Invalid)
	case !utf8.ValidString(key):
		return fmt.Errorf("key %q is not UTF-8: %w", key, Invalid)
	}
	for i := range len(key) {
		if c := key[i]; c < 0x20 || c == 0x7f {
			return fmt.Errorf("key %q has the control character %#02x: %w", key, c, Invalid)
		}
	}
	for seg := range strings.SplitSeq(key, "/") {
		switch seg {
		case "":
			return fmt.Errorf("key %q has an empty segment: %w", key, Invalid)
		case ".", "..":
			return fmt.Errorf("key %q has the segment %q: %w", key, seg, Invalid)
		}
	}
	return nil
}
