package emulator

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

func TestAzuritePinned(t *testing.T) {
	b, err := os.ReadFile("azurite/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages map[string]struct {
			Version, Resolved string
			Link              bool
		}
	}
	if err := json.Unmarshal(b, &lock); err != nil {
		t.Fatal(err)
	}
	if got := lock.Packages["node_modules/azurite"].Version; got != azuriteVersion {
		t.Errorf("azurite/package-lock.json pins %s, want %s", got, azuriteVersion)
	}
	for name, p := range lock.Packages {
		if name != "" && !p.Link && p.Resolved != "" && !strings.HasPrefix(p.Resolved, "https://registry.npmjs.org/") {
			t.Errorf("%s comes from %s", name, p.Resolved)
		}
	}
	for _, stub := range []string{"applicationinsights", "mysql2", "tedious"} {
		if !lock.Packages["node_modules/"+stub].Link {
			t.Errorf("%s is not the stub", stub)
		}
	}
}

// TestAzurite starts the emulator and sees that a container lives as long as its
// test.
func TestAzurite(t *testing.T) {
	a := StartAzure(t)
	var name string
	t.Run("container", func(t *testing.T) { name = a.NewContainer(t) })
	c, err := a.Container(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.GetProperties(t.Context(), nil); err == nil {
		t.Errorf("container %s is still there", name)
	}
}
