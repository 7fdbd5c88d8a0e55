package file

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// What lies beside objects: in the root, and in the folders of other volumes.
const (
	reserved = ".blobdock"
	tempDir  = reserved + "/tmp"
	lockDir  = reserved + "/locks" // in the root alone
	// uploadDir is where earlier versions kept uploads in parts, each in a folder.
	uploadDir = reserved + "/uploads"
)

const (
	// staleTemp is the age of temporary files that a crash must have left.
	staleTemp = 24 * time.Hour
	// staleUpload is the age at which earlier versions' sweeps took an upload for
	// abandoned. Replicas of such a version may still run.
	staleUpload = 7 * 24 * time.Hour
	// tidyEvery is how often a volume is looked through for such.
	tidyEvery = time.Hour
)

// volume is a part of the tree in which files can be renamed: the root, another file
// system that a symlink leads to, or one that is mounted below the root.
type volume struct {
	folder string // key of its uppermost folder; "." for the root
	tidied atomic.Int64

	mu   sync.Mutex
	step time.Duration // how finely modification times are kept; 0 until it is known
}

// volumeID tells volumes apart.
type volumeID struct{ device, mount uint64 }

// idOf is the id of the volume that a folder is on. It reports false for what is no
// folder.
func (b *Bucket) idOf(folder string) (volumeID, bool, error) {
	name := b.path(folder)
	info, err := b.disk.stat(name)
	if err == nil && !info.IsDir() {
		return volumeID{}, false, nil
	}
	var m uint64
	if err == nil {
		m, err = mount(name)
	}
	if leadsNowhere(err) {
		return volumeID{}, false, nil
	}
	if err != nil {
		return volumeID{}, false, fmt.Errorf("folder %s: %w", name, err)
	}
	return volumeID{device(info), m}, true, nil
}

// writable makes the root if need be, and finds the volume that a file at key is
// written to, which has shown that it can be.
func (b *Bucket) writable(key string) (*volume, error) {
	if err := b.makeRoot(); err != nil {
		return nil, err
	}
	folder, err := b.volumeFolder(key)
	if err != nil {
		return nil, err
	}
	b.volumesMu.Lock()
	v := b.volumes[folder]
	if v == nil {
		v = &volume{folder: folder}
		b.volumes[folder] = v
	}
	b.volumesMu.Unlock()
	return v, b.prepare(v)
}

func (b *Bucket) makeRoot() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.root != nil {
		return nil
	}
	if err := b.disk.mkdirAll(b.dir); err != nil {
		return err
	}
	root, err := b.openRoot()
	if err != nil {
		return err
	}
	b.root = root
	return nil
}

// volumeFolder is the uppermost of the folders above key that are on the volume of the
// lowest.
func (b *Bucket) volumeFolder(key string) (string, error) {
	root, ok, err := b.idOf(".")
	if err != nil {
		return "", err
	}
	if !ok {
		return "", fmt.Errorf("folder %s is gone: %w", b.dir, driver.NoBucket)
	}
	// Folders that are missing are made where the lowest is.
	at := root
	for name := path.Dir(key); name != "."; name = path.Dir(name) {
		here, ok, err := b.idOf(name)
		if err != nil {
			return "", err
		}
		if ok {
			at = here
			break
		}
	}
	if at == root {
		return ".", nil
	}
	for i := range key {
		if key[i] != '/' {
			continue
		}
		here, ok, err := b.idOf(key[:i])
		if err != nil {
			return "", err
		}
		if ok && here == at {
			return key[:i], nil
		}
	}
	return "", fmt.Errorf("the folders above %q change: %w", key, driver.Unavailable)
}

// prepare makes the folders that writes need, and tries the file system out, once.
func (b *Bucket) prepare(v *volume) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.step != 0 {
		return nil
	}
	if v.folder == "." {
		if err := b.disk.mkdirAll(b.path(lockDir)); err != nil {
			return err
		}
		b.dropStale(b.path(uploadDir), time.Now().Add(-staleUpload))
	}
	step, err := b.tryOut(v)
	if err != nil {
		return err
	}
	v.step = step
	return nil
}

// inside is the path of a file of ours in the volume.
func (b *Bucket) inside(v *volume, name string) string { return b.path(path.Join(v.folder, name)) }

// temp creates a new file on the volume that no listing shows.
func (b *Bucket) temp(v *volume) (*os.File, error) {
	name := b.inside(v, tempDir+"/"+rand.Text())
	f, err := b.disk.create(name)
	if errors.Is(err, fs.ErrNotExist) { // the first, or somebody tidied up
		if err := b.disk.mkdirAll(b.inside(v, tempDir)); err != nil {
			return nil, err
		}
		f, err = b.disk.create(name)
	}
	if err != nil {
		return nil, fmt.Errorf("temporary file: %w", err)
	}
	b.tidy(v, f)
	return f, nil
}

func (b *Bucket) drop(name string) { _ = b.disk.remove(name) }

// tidy now and then removes temporary files that a crash left. f has just been made, at
// what is now by the clock of the file system.
func (b *Bucket) tidy(v *volume, f *os.File) {
	last, now := v.tidied.Load(), time.Now()
	if now.Sub(time.Unix(0, last)) < tidyEvery || !v.tidied.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	if info, err := f.Stat(); err == nil {
		b.dropStale(b.inside(v, tempDir), info.ModTime().Add(-staleTemp))
	}
}

// dropStale removes what is in a folder and was not written to since a time so long ago
// that nobody can be writing it any more.
func (b *Bucket) dropStale(dir string, since time.Time) {
	d, err := b.disk.openFolder(dir)
	if err != nil {
		return
	}
	defer func() { _ = d.Close() }()
	names, _ := d.Readdirnames(-1)
	for _, name := range names {
		name = filepath.Join(dir, name)
		if info, err := b.disk.lstat(name); err == nil && info.ModTime().Before(since) {
			_ = b.disk.removeAll(name)
		}
	}
}

// tick is a time that is later than all before it and that the volume keeps.
func (b *Bucket) tick(v *volume) time.Time {
	step := int64(v.step)
	for {
		last := b.last.Load()
		now := max(time.Now().UnixNano(), last+1)
		now = (now + step - 1) / step * step
		if b.last.CompareAndSwap(last, now) {
			return time.Unix(0, now)
		}
	}
}
