package upload

import (
	"errors"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// FuzzID reads any text as an id. An id that is accepted is written the same way,
// and its objects lie in a folder of the repository's uploads.
func FuzzID(f *testing.F) {
	e := New(mem.New(), testOptions(memory.New(1<<20)))
	first, err := e.newID("repo")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(first.String())
	f.Add(id{first.uuid, 100, noParent + random()}.String())
	f.Add(first.uuid)
	f.Add("..")
	f.Fuzz(func(t *testing.T, s string) {
		i, err := e.parseID(s, "repo")
		if err != nil {
			if !errors.Is(err, ErrUnknown) {
				t.Errorf("%q: %v, want %v", s, err, ErrUnknown)
			}
			return
		}
		if i.String() != s {
			t.Errorf("%q was read as %q", s, i)
		}
		key, folder := i.stateKey(e.folder("repo", i.uuid)), e.layout.Uploads()
		if driver.CheckKey(key) != nil || !strings.HasPrefix(key, folder) || strings.Count(key, "/") != strings.Count(folder, "/")+2 {
			t.Errorf("%q names %q", s, key)
		}
		if back, ok := parseStateKey(e.folder("repo", i.uuid), i.uuid, key); !ok || back != i {
			t.Errorf("%q names %q, which is read as %v", s, key, back)
		}
		if !i.first() {
			return
		}
		if i.token != mac([]byte("secret"), i.uuid, "repo") {
			t.Errorf("%q is taken for authentic", s)
		}
		if _, err := e.parseID(s, "other"); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q is taken for one of another repository: %v", s, err)
		}
	})
}
