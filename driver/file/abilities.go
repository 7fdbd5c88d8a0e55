package file

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// ErrFileSystem tells that a folder's file system lacks what writes need. It is
// driver.Unsupported.
var ErrFileSystem = fmt.Errorf("unsuitable file system: %w", driver.Unsupported)

// steps are how finely file systems keep modification times, as far as that will do:
// ext4 and others, SMB and NTFS, and some in between.
var steps = []time.Duration{1, 100, time.Microsecond}

// tryOut does with temporary files what writes rely on, and names all that fails in one
// error. It returns how finely modification times are kept.
func (b *Bucket) tryOut(v *volume) (time.Duration, error) {
	f, err := b.temp(v)
	if err != nil {
		return 0, err
	}
	defer b.drop(f.Name())
	defer func() { _ = f.Close() }()
	var lacks []string
	step, err := b.tryTimes(f)
	if err != nil {
		return 0, err
	}
	if step == 0 {
		lacks = append(lacks, "modification times of a microsecond or finer")
	}
	why, err := b.tryLinks(f.Name())
	if err != nil {
		return 0, err
	}
	if why != "" {
		lacks = append(lacks, "hard links ("+why+")")
	}
	if v.folder == "." {
		if _, err := b.disk.lock(f); err != nil {
			lacks = append(lacks, "file locks ("+reason(err)+"; on NFS 3 they need lock managers at both ends and a mount without nolock)")
		}
	}
	if len(lacks) > 0 {
		return 0, fmt.Errorf("folder %s is on a file system without %s: use ext4, XFS, Btrfs, ZFS or NFS 4, or object storage: %w",
			b.path(v.folder), strings.Join(lacks, " and without "), ErrFileSystem)
	}
	return step, nil
}

// tryTimes is 0 where times are rounded too much.
func (b *Bucket) tryTimes(f *os.File) (time.Duration, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	// Another process takes a file that seems to be old for one that a crash left.
	want := info.ModTime().Truncate(time.Second).Add(123_456_789)
	if err := b.disk.chtimes(f.Name(), want); err != nil {
		return 0, err
	}
	if info, err = b.disk.lstat(f.Name()); err != nil {
		return 0, err
	}
	for _, step := range steps {
		if info.ModTime().Equal(want.Truncate(step)) {
			return step, nil
		}
	}
	return 0, nil
}

// tryLinks tells why there are no hard links, "" where there are.
func (b *Bucket) tryLinks(name string) (why string, err error) {
	second := name + ".link"
	defer b.drop(second)
	if err := b.disk.link(name, second); err != nil {
		if errors.Is(err, syscall.EPERM) || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EMLINK) {
			return reason(err), nil
		}
		return "", err
	}
	return "", nil
}

// reason is what the system says, without the path.
func reason(err error) string {
	var no syscall.Errno
	if errors.As(err, &no) {
		return no.Error()
	}
	return fmt.Sprint(err)
}
