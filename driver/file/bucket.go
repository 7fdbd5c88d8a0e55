// Package file keeps objects as plain files in a folder: the object at key is
// the file root/key, byte for byte. That is the layout of distribution's own
// filesystem driver, so either serves what the other wrote.
//
// Nothing but the content is kept of an object. Content type and metadata are
// dropped (Features.Metadata is false), since a sidecar would get lost where
// another program moves or removes the file.
//
// # Versions
//
// Every write makes a new file and moves it into place, so that an open reader
// keeps the version that it began with. The ETag is made of the file's inode
// number, modification time and size. The kernel's clock ticks slowly and inode
// numbers are soon used again, so two versions could look alike: each write
// therefore sets the modification time itself, in nanoseconds, to a value that
// grows with every write. An inode number can come back only after its file is
// gone, hence at a later time. The time of the last status change is no part of
// it: making and removing links changes that while the content stays.
//
// # Conditions
//
// Writers of one key exclude each other by flock on a file in the folder
// .blobdock, also between processes; readers never wait. IfAbsent moves the file
// into place by link, which fails where a file is, even one of a program that
// takes no lock. A delete of one version takes the lock as well. Nothing bounds the
// time at which the kernel carries it out, so NotAfter is not offered.
//
// # Folders
//
// A key can't be a folder of other keys as well: such a write is Invalid. Folders
// that a delete leaves empty are removed, for distribution takes an empty folder
// below _manifests/tags for a tag. Empty folders that others left are not listed.
// The folder .blobdock holds temporary files and locks; keys below it are Invalid. Symbolic links are no objects, and never lead out of the
// root.
package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// What lies in the root beside objects.
const (
	reserved = ".blobdock"
	tempDir  = reserved + "/tmp"
	lockDir  = reserved + "/locks"
	// uploadDir is where earlier versions kept uploads in parts, each in a folder.
	uploadDir = reserved + "/uploads"
)

const (
	// maxFile is ext4's largest file with blocks of 4 KiB,
	// https://docs.kernel.org/filesystems/ext4/overview.html.
	maxFile = 16<<40 - 4<<10
	// maxParts bounds the files that one Concat joins; it is S3's number.
	maxParts = 10_000
)

const (
	// staleTemp is the age of temporary files that a crash must have left.
	staleTemp = 24 * time.Hour
	// staleUpload is the age at which earlier versions' sweeps took an upload for
	// abandoned. Replicas of such a version may still run.
	staleUpload = 7 * 24 * time.Hour
)

// Options tune a bucket. The zero value is safe.
type Options struct {
	// NoCreate makes a missing root NoBucket instead of creating it. Use it where
	// the root is a mount point, which should not be filled while it is unmounted.
	NoCreate bool
	// NoSync leaves it to the kernel when writes reach the disk: faster, and a
	// power cut may lose or truncate what was acknowledged.
	NoSync bool
}

// Bucket is a folder.
type Bucket struct {
	dir     string // absolute
	options Options
	last    atomic.Int64 // latest modification time given out, in nanoseconds
	stripes [stripes]chan struct{}

	mu     sync.Mutex
	opened *root
}

// root is the bucket's folder once it is open.
type root struct {
	*os.Root
	// coarse tells that the file system rounds times, so that ETags are unsure.
	coarse bool
}

// New makes a bucket of the folder dir. The folder is opened, and created if
// need be, at the first call.
func New(dir string, o Options) (*Bucket, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("folder %q: %w", dir, err)
	}
	b := &Bucket{dir: abs, options: o}
	for i := range b.stripes {
		b.stripes[i] = make(chan struct{}, 1)
	}
	return b, nil
}

// Features are what a file system does without copying through this process.
func (b *Bucket) Features() driver.Features {
	all := driver.AllConds
	return driver.Features{
		Name:  "file",
		Parts: limits,
		Conds: driver.Conds{
			Put: all, Copy: all, Concat: all, Delete: driver.CondIfMatch,
		},
		Copy:   b.copyObject,
		Concat: b.concat,
	}
}

var limits = driver.PartLimits{MinSize: 1, MaxSize: maxFile, MaxParts: maxParts, MaxObject: maxFile, MaxPut: maxFile}

// Close gives the folder's handle back.
func (b *Bucket) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opened == nil {
		return nil
	}
	err := b.opened.Close()
	b.opened = nil
	return err
}

// begin checks ctx and the keys, and opens the root.
func (b *Bucket) begin(ctx context.Context, keys ...string) (*root, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, key := range keys {
		if err := checkKey(key); err != nil {
			return nil, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opened != nil {
		return b.opened, nil
	}
	r, err := b.open()
	if err != nil {
		return nil, err
	}
	b.opened = r
	return r, nil
}

func (b *Bucket) open() (*root, error) {
	dir, err := os.OpenRoot(b.dir)
	if errors.Is(err, fs.ErrNotExist) {
		if b.options.NoCreate {
			return nil, fmt.Errorf("folder %s: %w", b.dir, driver.NoBucket)
		}
		if err := os.MkdirAll(b.dir, 0o777); err != nil {
			return nil, kind(err)
		}
		dir, err = os.OpenRoot(b.dir)
	}
	if err != nil {
		return nil, kind(err)
	}
	r := &root{Root: dir}
	// A root that can't be written to is still good for reading: whoever writes
	// gets the error then.
	for _, d := range []string{tempDir, lockDir} {
		if r.MkdirAll(d, 0o777) != nil {
			return r, nil //nolint:nilerr // see above
		}
	}
	r.coarse = b.roundsTimes(r)
	r.dropStale(tempDir, staleTemp)
	r.dropStale(uploadDir, staleUpload)
	return r, nil
}

// roundsTimes tries whether a file keeps a time to the nanosecond.
func (b *Bucket) roundsTimes(r *root) bool {
	name, f, err := r.temp()
	if err != nil {
		return false
	}
	defer r.drop(name)
	defer func() { _ = f.Close() }()
	want := time.Unix(1_000_000_000, 123_456_789)
	if err := r.Chtimes(name, want, want); err != nil {
		return true
	}
	info, err := f.Stat()
	return err == nil && !info.ModTime().Equal(want)
}

// dropStale removes what is in a folder and has not changed for so long that nobody can
// be writing it any more.
func (r *root) dropStale(dir string, age time.Duration) {
	d, err := r.Open(dir)
	if err != nil {
		return
	}
	defer func() { _ = d.Close() }()
	names, _ := d.Readdirnames(-1)
	for _, name := range names {
		name = dir + "/" + name
		if info, err := r.Lstat(name); err == nil && time.Since(info.ModTime()) > age {
			_ = r.RemoveAll(name)
		}
	}
}

func checkKey(key string) error {
	if err := driver.CheckKey(key); err != nil {
		return err
	}
	if first, _, _ := strings.Cut(key, "/"); first == reserved {
		return fmt.Errorf("key %q lies in the folder %s, which is reserved: %w", key, reserved, driver.Invalid)
	}
	return nil
}

// tick is a time that is later than all before it.
func (b *Bucket) tick() time.Time {
	for {
		last := b.last.Load()
		now := max(time.Now().UnixNano(), last+1)
		if b.last.CompareAndSwap(last, now) {
			return time.Unix(0, now)
		}
	}
}
