package drivertest

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/blobdock/blobdock/driver"
)

var update = flag.Bool("update", false, "write golden files instead of comparing with them")

// Golden compares got with the file at path, or writes it with -update.
func Golden(t testing.TB, path, got string) {
	t.Helper()
	if *update {
		noError(t, "golden", os.MkdirAll(filepath.Dir(path), 0o755))
		noError(t, "golden", os.WriteFile(path, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("golden file: %v (write it with -update)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got, write it with -update):\n%s", path, diff)
	}
}

// pinFeatures compares the features with the golden file.
func pinFeatures(t *testing.T, s suite) {
	b := s.New(t)
	text := featureText(b.Features())
	if again := featureText(b.Features()); again != text {
		t.Errorf("features changed between two calls:\n%s", cmp.Diff(text, again))
	}
	if b.Features().Name == "" {
		t.Error("Features.Name is empty")
	}
	if l := b.Features().Parts; l.MinSize < 0 || l.MaxSize < max(l.MinSize, 1) || l.MaxParts < 1 || l.MaxObject < 1 || l.MaxPut < 1 {
		t.Errorf("limits make no sense: %+v", l)
	}
	if f := b.Features(); f.Uploads == nil && (f.CopyPart != nil || f.UploadsByKey || f.Conds.Complete != driver.NoCond) {
		t.Errorf("what uploads need is offered without them: %+v", f)
	}
	if s.Golden == "" {
		t.Log("this harness pins no features")
		return
	}
	Golden(t, filepath.Join(s.Golden, s.Name+".features.golden"), text)
}

// featureText has one line per function and interface of f, whatever there will be, and one per
// other field that is set: a new one changes only what sets it.
func featureText(f driver.Features) string {
	var text strings.Builder
	v := reflect.ValueOf(f)
	for i := range v.NumField() {
		name, field := v.Type().Field(i).Name, v.Field(i)
		if isFeature(field) {
			fmt.Fprintf(&text, "%s: %t\n", name, !field.IsNil())
			continue
		}
		if m, ok := field.Interface().(map[driver.Op]string); ok {
			for _, op := range slices.Sorted(maps.Keys(m)) {
				fmt.Fprintf(&text, "%s[%s]: %s\n", name, op, m[op])
			}
			continue
		}
		if !field.IsZero() {
			fmt.Fprintf(&text, "%s: %+v\n", name, field.Interface())
		}
	}
	return text.String()
}

// isFeature reports whether a field is something that a store offers or not.
func isFeature(field reflect.Value) bool {
	return field.Kind() == reflect.Func || field.Kind() == reflect.Interface
}

// missing names the features that f does not offer.
func missing(f driver.Features) []string {
	var names []string
	v := reflect.ValueOf(f)
	for i := range v.NumField() {
		field := v.Field(i)
		if isFeature(field) && field.IsNil() || field.Kind() == reflect.Bool && !field.Bool() {
			names = append(names, strings.ToLower(v.Type().Field(i).Name))
		}
	}
	return names
}
