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
// therefore sets the modification time itself, as finely as the file system keeps
// it, to a value that grows with every write. An inode number can come back only
// after its file is gone, hence at a later time. The time of the last status change
// is no part of it: making and removing links changes that while the content stays.
//
// # Conditions
//
// Writers of one key exclude each other by flock on a file in the folder
// .blobdock, also between processes; readers never wait. IfAbsent moves the file
// into place by link, which fails where a file is, even one of a program that
// takes no lock. A delete of one version takes the lock as well. Nothing bounds the
// time at which the kernel carries it out, so NotAfter is not offered.
//
// # What the file system must offer
//
// Writes need hard links, flock, and modification times of a microsecond or finer:
// ext4, XFS, Btrfs, ZFS and NFS 4 have them, FAT and most FUSE file systems don't.
// The first write finds out, before it writes an object, and every write fails with
// [ErrFileSystem] until that is mended. Reading needs nothing.
//
// # Folders
//
// A key can't be a folder of other keys as well: such a write is Invalid. Folders
// that a delete leaves empty are removed, for distribution takes an empty folder
// below _manifests/tags for a tag. Empty folders that others left are not listed.
// Folders of the name .blobdock, at whatever depth, hold temporary files and locks;
// keys through them are Invalid. Temporary files that a crash left are removed by a
// later write, a day after they were last written to.
//
// A missing root is an empty bucket, and the first write makes it: reading creates
// nothing.
//
// # Symlinks and mounts
//
// Symlinks to folders and files are followed by every method, wherever they lead, as
// distribution's filesystem driver follows them. A symlink to a file is replaced by a
// write to its key and removed by a delete; its target stays as it is. A symlink
// whose target is missing makes every method fail that has to know what is behind it,
// with Unavailable: its keys are neither absent nor left out of listings. A listing
// that gets to a symlink which leads back to a folder that it lies in is Invalid.
// Other file systems may be mounted below the root; a write keeps its temporary file
// where it can be renamed from, in a folder .blobdock of the mount. Two keys must not
// lead to one file.
//
// # Foreign folders
//
// Listings leave out folders that this process may not read and whose name no registry
// writes: lost+found, .snapshots, "System Volume Information". Names of registries are
// made of letters, digits, "_", "-" and ".", and don't begin with a dot. A folder of
// such a name that can't be read is an error, since it may hold objects.
package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/blobdock/blobdock/driver"
)

const (
	// maxFile is ext4's largest file with blocks of 4 KiB,
	// https://docs.kernel.org/filesystems/ext4/overview.html.
	maxFile = 16<<40 - 4<<10
	// maxParts bounds the files that one Concat joins; it is S3's number.
	maxParts = 10_000
	// pageSize is how many entries are described before anybody has asked for them. It
	// is what clients ask for by default where they page through tags.
	pageSize = 100
)

// Options tune a bucket. The zero value is safe.
type Options struct {
	// NoCreate makes a missing root NoBucket instead of an empty bucket that the first
	// write creates. Use it where the root is a mount point, which should not be filled
	// while it is unmounted.
	NoCreate bool
	// NoSync leaves it to the kernel when writes reach the disk: faster, and a
	// power cut may lose or truncate what was acknowledged.
	NoSync bool
}

// Bucket is a folder.
type Bucket struct {
	dir     string // absolute
	options Options
	disk    disk
	last    atomic.Int64 // latest modification time given out, in nanoseconds
	stripes [stripes]chan struct{}

	mu sync.Mutex
	// root is the open folder: it keeps its file system from being unmounted, and what
	// is below the mount point from being taken for the bucket.
	root *os.File

	volumesMu sync.Mutex
	volumes   map[string]*volume // by the key of their folder

	listings listings
}

// New makes a bucket of the folder dir, which is opened at the first call.
func New(dir string, o Options) (*Bucket, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("folder %q: %w", dir, err)
	}
	b := &Bucket{dir: abs, options: o, volumes: make(map[string]*volume)}
	for i := range b.stripes {
		b.stripes[i] = make(chan struct{}, 1)
	}
	return b, nil
}

// Features are what a file system does without copying through this process.
func (b *Bucket) Features() driver.Features {
	all := driver.AllConds
	return driver.Features{
		Name:     "file",
		Parts:    limits,
		PageSize: pageSize,
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
	if b.root == nil {
		return nil
	}
	err := b.root.Close()
	b.root = nil
	return err
}

// begin checks ctx and the keys, and opens the root if it is there.
func (b *Bucket) begin(ctx context.Context, keys ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, key := range keys {
		if err := checkKey(key); err != nil {
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.root != nil {
		return nil
	}
	root, err := b.openRoot()
	if errors.Is(err, driver.NoBucket) && !b.options.NoCreate {
		return nil
	}
	b.root = root
	return err
}

func (b *Bucket) openRoot() (*os.File, error) {
	f, err := b.disk.openFolder(b.dir)
	if errors.Is(err, fs.ErrNotExist) {
		if _, lerr := b.disk.lstat(b.dir); lerr == nil {
			return nil, b.brokenLink(b.dir)
		}
		return nil, fmt.Errorf("folder %s does not exist: %w", b.dir, driver.NoBucket)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no folder: %w", b.dir, driver.Invalid)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// path is where the file at key is; "." is the root.
func (b *Bucket) path(key string) string {
	if key == "." {
		return b.dir
	}
	return b.dir + string(filepath.Separator) + filepath.FromSlash(key)
}

func checkKey(key string) error {
	if err := driver.CheckKey(key); err != nil {
		return err
	}
	if slices.Contains(strings.Split(key, "/"), reserved) {
		return fmt.Errorf("key %q lies in a folder %s, which is reserved: %w", key, reserved, driver.Invalid)
	}
	// Windows has names that lead elsewhere.
	if name := filepath.FromSlash(key); !filepath.IsLocal(name) || filepath.ToSlash(name) != key {
		return fmt.Errorf("key %q can't be a file's name on this system: %w", key, driver.Invalid)
	}
	return nil
}
