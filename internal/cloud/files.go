package cloud

import (
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// fileInterval is how often files are looked at.
const fileInterval = time.Second

// Files tells when files have been replaced, as mounted secrets are.
type Files struct {
	paths []string

	mu     sync.Mutex
	seen   []os.FileInfo
	looked time.Time
}

// NewFiles watches the files whose paths are not empty. The files as they are now are
// those that have been read.
func NewFiles(paths ...string) *Files {
	f := &Files{paths: slices.DeleteFunc(paths, func(p string) bool { return p == "" })}
	f.seen, f.looked = f.Stat(), time.Now()
	return f
}

// Changed reports whether a file is another than the one that was read. It looks at the
// files once a second at most, and is false in between. A file that is missing for the
// moment has not changed.
func (f *Files) Changed() bool { return f.changed(fileInterval) }

// ChangedNow is Changed, and looks at the files in any case.
func (f *Files) ChangedNow() bool { return f.changed(0) }

func (f *Files) changed(interval time.Duration) bool {
	if f == nil || len(f.paths) == 0 {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.looked) < interval {
		return false
	}
	f.looked = time.Now()
	for i, info := range f.Stat() {
		switch was := f.seen[i]; {
		case info == nil:
			return false
		case was == nil, !os.SameFile(was, info), !was.ModTime().Equal(info.ModTime()), was.Size() != info.Size():
			return true
		}
	}
	return false
}

// Read notes that the files were read after Stat returned these. Those that were missing
// were not.
func (f *Files) Read(files []os.FileInfo) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, info := range files {
		if info != nil {
			f.seen[i] = info
		}
	}
}

// Stat describes the files as they are now, for Read.
func (f *Files) Stat() []os.FileInfo {
	if f == nil {
		return nil
	}
	all := make([]os.FileInfo, len(f.paths))
	for i, path := range f.paths {
		if info, err := os.Stat(path); err == nil {
			all[i] = info
		}
	}
	return all
}

// TLSFiles replaces a transport when the files of its network have been: the authorities
// and the client's certificate. nil replaces nothing.
type TLSFiles struct {
	network driver.Network
	files   *Files
	current atomic.Pointer[http.Transport]
}

// NewTLSFiles is nil where n names no files.
func NewTLSFiles(n driver.Network) *TLSFiles {
	if n.CAFile == "" && n.ClientCertFile == "" {
		return nil
	}
	return &TLSFiles{network: n, files: NewFiles(n.CAFile, n.ClientCertFile, n.ClientKeyFile)}
}

// transport is first, or what has taken its place. Files that can't be read, or don't fit
// each other as they are being replaced, leave things as they are until they change again.
func (t *TLSFiles) transport(first *http.Transport) *http.Transport {
	if t == nil {
		return first
	}
	if t.files.Changed() {
		t.files.Read(t.files.Stat())
		if conf, err := tlsConfig(t.network); err == nil {
			next := first.Clone()
			if t.network.CAFile == "" {
				conf.RootCAs = first.TLSClientConfig.RootCAs // those of AWS_CA_BUNDLE
			}
			next.TLSClientConfig = conf
			if old := t.current.Swap(next); old != nil {
				old.CloseIdleConnections()
			} else {
				first.CloseIdleConnections()
			}
		}
	}
	if now := t.current.Load(); now != nil {
		return now
	}
	return first
}
