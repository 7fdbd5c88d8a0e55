package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/blobdock/blobdock/check"
	"github.com/blobdock/blobdock/driver"
)

// stateVersion is that of the file's format.
const stateVersion = 1

// stateFile keeps how far a check has got. Without a path it does nothing.
type stateFile struct {
	path, registry string
	repositories   []string
}

// savedState is what the file has.
type savedState struct {
	Version      int         `json:"version"`
	Registry     string      `json:"registry"`
	Repositories []string    `json:"repositories,omitempty"`
	State        check.State `json:"state"`
}

// identity is a storage URL without its options: what tells one registry from
// another, and no credential.
func identity(storage string) string {
	u, err := driver.ParseURL(storage)
	if err != nil {
		return redact(storage)
	}
	q, kept := u.Query(), url.Values{}
	for _, name := range []string{"account", "endpoint", "realm"} {
		if q.Has(name) {
			kept.Set(name, redact(q.Get(name)))
		}
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawQuery: kept.Encode()}).String()
}

// load returns the zero State when there is no file.
func (f stateFile) load() (check.State, error) {
	if f.path == "" {
		return check.State{}, nil
	}
	p, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return check.State{}, f.save(check.State{}) // to find out now that it can be written
	}
	if err != nil {
		return check.State{}, err
	}
	var s savedState
	switch err := json.Unmarshal(p, &s); {
	case err != nil || s.Version == 0:
		return check.State{}, errors.New("is not a state of blobdock check")
	case s.Version != stateVersion:
		return check.State{}, fmt.Errorf("has version %d of the format, want %d", s.Version, stateVersion)
	case s.Registry != f.registry:
		return check.State{}, fmt.Errorf("belongs to %s: remove it, or name another", s.Registry)
	case !slices.Equal(s.Repositories, f.repositories):
		return check.State{}, fmt.Errorf("belongs to a check of the repositories %q: remove it, or name another", s.Repositories)
	}
	return s.State, nil
}

// save replaces the file in one step.
func (f stateFile) save(s check.State) error {
	if f.path == "" {
		return nil
	}
	p, err := json.Marshal(savedState{stateVersion, f.registry, f.repositories, s})
	if err != nil {
		return err
	}
	w, err := os.CreateTemp(filepath.Dir(f.path), filepath.Base(f.path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(w.Name())
	_, err = w.Write(append(p, '\n'))
	if err = errors.Join(err, w.Sync(), w.Close()); err != nil {
		return err
	}
	return os.Rename(w.Name(), f.path)
}

func (f stateFile) remove() error {
	if f.path == "" {
		return nil
	}
	return os.Remove(f.path)
}
