package blobstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
)

// ErrUploadConflict is returned to a writer whose upload another writer has
// continued, committed or cancelled meanwhile. Nothing of the loser's is kept;
// the client asks for the upload's status and goes on from there.
var ErrUploadConflict = errors.New("upload was changed by another writer")

// ErrUploadGone is returned for an upload whose parts the store has no longer: it
// was cancelled, or a process vanished while it committed it. The client begins anew.
var ErrUploadGone = errors.New("upload's parts are gone")

// ErrBadSession is returned for an upload whose session object is damaged. It
// can't be resumed; the client begins anew, and the sweeper removes it.
var ErrBadSession = fmt.Errorf("upload session is damaged: %w", driver.Corrupt)

// ErrBodyLength is returned for a body that is longer or shorter than declared.
var ErrBodyLength = fmt.Errorf("body does not have the declared length: %w", driver.Invalid)

// session is the persisted state of one upload. Together with the tail bytes
// that follow it in the same object it is everything that a writer needs.
type session struct {
	ID         string
	Repository string
	Started    time.Time
	Hint       digest.Digest      // what the content is said to be, "" when unknown
	Algorithms []digest.Algorithm // hashes to compute; only read while Hashes is empty
	Hashes     []hashState        // after Offset bytes
	// Staged is the upload that the parts belong to. Its Key is set with the first
	// claim and its ID with the first session that lists parts.
	Staged driver.Upload
	Next   int // lowest part number that nobody has claimed
	// Strays are keys at which there may be uploads that nobody knows the ID of: a
	// writer claimed numbers and vanished before it told, or a reply was lost.
	Strays []string
	Parts  []driver.Part
	// Writer is random for each writer. It makes its sessions differ from all
	// others', and with that their ETags, which in S3 depend on the bytes alone.
	Writer uint64
	Tail   int64 // bytes behind the parts, kept in the session object itself

	tailSum uint32 // CRC-32C of the tail
	key     string // of the session object
	etag    string // of the version this was read from or written as; "" before that
}

// strayAt notes that there may be a stray upload at key.
func (s *session) strayAt(key string) {
	if !slices.Contains(s.Strays, key) {
		s.Strays = append(slices.Clip(s.Strays), key) // others have copies of s
	}
}

// Offset is how many bytes the upload has persisted.
func (s *session) Offset() int64 {
	n := s.Tail
	for _, p := range s.Parts {
		n += p.Size
	}
	return n
}

// load reads the session at key. The tail is left in the reader that it returns
// along, which must be closed. NotFound when there is no such upload.
func loadSession(ctx context.Context, b driver.Bucket, key string) (*session, io.ReadCloser, error) {
	body, err := b.Open(ctx, key, driver.Range{}, driver.ReadOptions{})
	if err != nil {
		return nil, nil, err
	}
	// A connection that breaks says nothing about the session.
	r := &reader{ctx: ctx, bucket: b, object: body.Object, body: body}
	s, err := decodeSession(r, body.Object.Size)
	if err != nil {
		_ = r.Close()
		if errors.Is(err, driver.Corrupt) {
			err = fmt.Errorf("%w: %w", ErrBadSession, err)
		}
		return nil, nil, fmt.Errorf("session %q: %w", key, err)
	}
	s.key, s.etag = key, body.Object.ETag
	return s, r, nil
}

// save writes the session and its tail, under the condition that nobody has
// changed it. ErrUploadConflict when somebody has.
func (s *session) save(ctx context.Context, b driver.Bucket, tail []byte) error {
	s.Tail = int64(len(tail))
	head, err := encodeSession(s, tail)
	if err != nil {
		return err
	}
	cond := driver.Cond{IfAbsent: s.etag == "", IfMatch: s.etag}
	if !b.Features().Conds.Put.Allows(cond) {
		// Without conditions the last writer wins. That can lose a race's
		// progress but corrupts nothing: parts are completed by their ETags, and
		// hash, parts and tail come from one and the same object.
		cond = driver.Cond{}
	}
	body := joined{head, tail}
	var obj driver.Object
	unsure := false // whether an earlier write may still take effect
	for range saveTries {
		obj, err = b.Put(ctx, s.key, io.NewSectionReader(body, 0, body.size()), driver.WriteOptions{Cond: cond})
		if unsure = unsure || driver.MayHave(err); !unsure || err == nil {
			break
		}
		var again bool
		if obj, again, err = s.reconcile(ctx, b, body, err); !again {
			break
		}
	}
	switch {
	case err == nil:
		s.etag = obj.ETag
		return nil
	case errors.Is(err, driver.Mismatch), errors.Is(err, driver.Exists), errors.Is(err, driver.NotFound):
		return fmt.Errorf("session %q: %w: %w", s.key, ErrUploadConflict, err)
	default:
		return fmt.Errorf("session: %w", err)
	}
}

// saveTries bounds how often a session is written whose reply is lost.
const saveTries = 3

// reconcile looks whether a write whose reply was lost has happened. When what was
// there before is there still, the same write may be made again: under its
// condition only one of the two can ever take effect.
func (s *session) reconcile(ctx context.Context, b driver.Bucket, body joined, lost error) (obj driver.Object, again bool, err error) {
	r, err := b.Open(ctx, s.key, driver.Range{}, driver.ReadOptions{})
	if errors.Is(err, driver.NotFound) && s.etag == "" {
		return driver.Object{}, true, lost
	}
	if err != nil {
		return driver.Object{}, false, errors.Join(lost, err)
	}
	defer r.Close()
	if r.Object.ETag == s.etag {
		return driver.Object{}, true, lost
	}
	if r.Object.Size != body.size() {
		return driver.Object{}, false, lost
	}
	// The header alone is unique: it names the writer and has the tail's checksum.
	got := make([]byte, len(body.head))
	if _, err := io.ReadFull(r, got); err != nil {
		return driver.Object{}, false, errors.Join(lost, err)
	}
	if !bytes.Equal(got, body.head) {
		return driver.Object{}, false, lost
	}
	return r.Object, false, nil
}

// joined reads two byte slices as one, without copying them together.
type joined struct{ head, tail []byte }

func (j joined) size() int64 { return int64(len(j.head) + len(j.tail)) }

// Bytes implements driver.Memory.
func (j joined) Bytes(off, n int64) []byte {
	p := j.head
	if off >= int64(len(p)) {
		off -= int64(len(p))
		p = j.tail
	}
	p = p[min(off, int64(len(p))):]
	return p[:min(n, int64(len(p)))]
}

func (j joined) ReadAt(p []byte, off int64) (n int, err error) {
	if off < int64(len(j.head)) {
		n = copy(p, j.head[off:])
		off = int64(len(j.head))
	}
	if rest := off - int64(len(j.head)); n < len(p) && rest < int64(len(j.tail)) {
		n += copy(p[n:], j.tail[rest:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
