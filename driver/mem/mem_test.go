package mem_test

import (
	"crypto/rand"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/drivertest"
	"github.com/blobdock/blobdock/driver/mem"
)

func TestConformance(t *testing.T) {
	drivertest.Run(t, drivertest.Harness{
		New:    func(testing.TB) driver.Bucket { return mem.New() },
		Golden: "testdata",
	})
}

func TestConformanceSmallParts(t *testing.T) {
	drivertest.Run(t, drivertest.Harness{
		New: func(testing.TB) driver.Bucket {
			return mem.NewWith(mem.Options{Parts: driver.PartLimits{
				MinSize: 100, MaxSize: 1 << 20, MaxParts: 200, MaxObject: 20 << 20, MaxPut: 17 << 20,
			}})
		},
	})
}

func TestConformanceWrapped(t *testing.T) {
	drivertest.RunWrapped(t, drivertest.Harness{
		Name: "mem-small",
		New: func(testing.TB) driver.Bucket {
			return mem.NewWith(mem.Options{Parts: driver.PartLimits{MinSize: 100}})
		},
		Golden: "testdata",
	})
}

func TestConformancePrefix(t *testing.T) {
	drivertest.Run(t, drivertest.Harness{
		New: func(t testing.TB) driver.Bucket {
			return open(t, "mem://"+rand.Text()+"/some/prefix?part_min=10")
		},
		MaxKey: driver.MaxKey - len("some/prefix/"),
	})
}

// TestConformanceImitations runs the suite on what imitates other stores.
func TestConformanceImitations(t *testing.T) {
	exceptions := map[string]map[string]string{
		"azure": {
			"upload-invisible/overwritten": "a Put drops the parts that wait at its key", "model/uploads": "the same",
			"complete-consumes": "the same", "upload-list": "the same",
		},
	}
	for name, o := range mem.Imitations() {
		t.Run(name, func(t *testing.T) {
			// What keys are limited to has a test of its own.
			o.KeyInterval, o.Parts.MinSize = 0, 100
			drivertest.Run(t, drivertest.Harness{
				New: func(testing.TB) driver.Bucket { return mem.NewWith(o) }, Exceptions: exceptions[name],
			})
		})
	}
}

func open(t testing.TB, url string) driver.Bucket {
	t.Helper()
	b, err := driver.Open(t.Context(), url)
	if err != nil {
		t.Fatalf("Open(%q): %v", url, err)
	}
	return b
}

// TestNames checks that buckets of one name share their objects, and that a
// prefix hides the others.
func TestNames(t *testing.T) {
	put := func(b driver.Bucket, key string) {
		t.Helper()
		if _, err := b.Put(t.Context(), key, io.NewSectionReader(strings.NewReader("x"), 0, 1), driver.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	keys := func(b driver.Bucket, prefix string) (keys []string) {
		t.Helper()
		for e, err := range driver.List(t.Context(), b, driver.ListRequest{Prefix: prefix}) {
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, e.Key)
		}
		return keys
	}
	name := "mem://" + rand.Text() // names live as long as the process
	one, same, below, other := open(t, name), open(t, name+"/"), open(t, name+"/p/q"), open(t, name+"-other")
	put(one, "a")
	put(below, "b")
	put(one, "p/qq")
	for _, tt := range []struct {
		what string
		got  []string
		want []string
	}{
		{"same name", keys(same, ""), []string{"a", "p/q/b", "p/qq"}},
		{"prefix", keys(below, ""), []string{"b"}},
		{"prefix and prefix", keys(below, "b"), []string{"b"}},
		{"other name", keys(other, ""), nil},
		{"New", keys(mem.New(), ""), nil},
	} {
		if !slices.Equal(tt.got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.what, tt.got, tt.want)
		}
	}
}
