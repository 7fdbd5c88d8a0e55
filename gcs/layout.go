package gcs

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// partsDir is where parts lie, below the bucket's prefix. No key may begin with
// it, and no listing shows it.
//
//	_parts/<key, escaped>!<upload id>/marker    there as long as the upload lives
//	_parts/<key, escaped>!<upload id>/00017     part 17
//	_parts/<key, escaped>!<upload id>/t-...     parts joined on the way to the object
//
// The escaped key has no "/", so that a listing with that delimiter is one line
// per upload, however many parts it has. The lines are in the order of the keys.
const partsDir = "_parts/"

const (
	markerName = "marker"
	joinedMark = "t-"
	keyEnd     = '!'
	afterEnd   = '"' // the byte behind keyEnd
	escapeByte = '-'
)

// escape turns bytes up to "/" into two, of which the first sorts before all
// that stay as they are and behind keyEnd. Hence escaped keys sort as the keys
// do, and those with a common prefix still have one.
func escape(key string) string {
	var out strings.Builder
	for i := range len(key) {
		if c := key[i]; c <= '/' {
			out.WriteByte(escapeByte)
			out.WriteByte("0123456789abcdef"[c&15])
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}

// unescape is escape's inverse for keys, which have no byte below a space.
func unescape(s string) (string, bool) {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != escapeByte {
			out.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			return "", false
		}
		n, err := strconv.ParseUint(s[i:i+1], 16, 8)
		if err != nil {
			return "", false
		}
		out.WriteByte(' ' + byte(n))
	}
	return out.String(), true
}

// An upload's id is the time of its start and a random part. It ends in a letter
// that tells whether the object is to have more than the default content type,
// which then the marker holds.
const (
	timeDigits = 9 // milliseconds to base 36, for some 3,000 years
	randDigits = 16
	idLength   = timeDigits + randDigits + 1

	plainMark  = 'p'
	markedMark = 'm'
)

func newID(now time.Time, marked bool) string {
	ms := strconv.FormatInt(now.UnixMilli(), 36)
	id := strings.Repeat("0", timeDigits-len(ms)) + ms + strings.ToLower(rand.Text()[:randDigits])
	if marked {
		return id + string(markedMark)
	}
	return id + string(plainMark)
}

// parseID tells when the upload began, and whether its marker holds attributes.
func parseID(id string) (started time.Time, marked, ok bool) {
	if len(id) != idLength {
		return time.Time{}, false, false
	}
	for i := range len(id) {
		if c := id[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return time.Time{}, false, false
		}
	}
	ms, err := strconv.ParseInt(id[:timeDigits], 36, 64)
	last := id[idLength-1]
	return time.UnixMilli(ms).UTC(), last == markedMark, err == nil && (last == markedMark || last == plainMark)
}

// folder is where the parts of u lie, as the store knows it.
func (b *Bucket) folder(u driver.Upload) string {
	return b.prefix.Full(partsDir) + escape(u.Key) + string(keyEnd) + u.ID + "/"
}

func (b *Bucket) partName(u driver.Upload, n int) string {
	return b.folder(u) + fmt.Sprintf("%05d", n)
}

// joinedName is for parts that were joined; i tells them apart on their level.
func (b *Bucket) joinedName(u driver.Upload, run string, level, i int) string {
	return b.folder(u) + fmt.Sprintf("%s%s-%d-%03d", joinedMark, run, level, i)
}

// longestName is the longest that stands behind the folder.
const longestName = len("t-") + randDigits + len("-1-000")

// checkUploadKey is checkKey for keys that parts are named after.
func (b *Bucket) checkUploadKey(key string) error {
	if err := b.checkKey(key); err != nil {
		return err
	}
	if n := len(b.folder(driver.Upload{Key: key})) + idLength + longestName; n > driver.MaxKey {
		return fmt.Errorf("the parts of %q would have names of %d bytes, at most %d are allowed: %w", key, n, driver.MaxKey, driver.Invalid)
	}
	return nil
}

// uploadOf reads the upload out of its folder's name, without what stands before
// the escaped key.
func uploadOf(folder string) (driver.Upload, bool) {
	escaped, id, ok := strings.Cut(strings.TrimSuffix(folder, "/"), string(keyEnd))
	if !ok {
		return driver.Upload{}, false
	}
	key, ok := unescape(escaped)
	started, _, ok2 := parseID(id)
	return driver.Upload{Key: key, ID: id, Started: started}, ok && ok2
}
