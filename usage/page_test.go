package usage_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/usage"
)

// treeOf is what a page's treemap is made of.
type treeOf struct {
	Name, Kind string
	Bytes      int64
	Children   []treeOf
}

func (n treeOf) sum() int64 {
	sum := n.Bytes
	for _, c := range n.Children {
		sum += c.sum()
	}
	return sum
}

func (n treeOf) leaves() int {
	count := 0
	for _, c := range n.Children {
		count += c.leaves()
	}
	return max(count, 1)
}

type pageData struct {
	Tree  treeOf
	Parts []struct {
		Name  string
		Bytes int64
	}
	Teams, Repositories []struct{ Name string }
}

func pageOf(t *testing.T, r usage.Report, title string) (string, pageData) {
	t.Helper()
	var out strings.Builder
	if err := r.HTML(&out, title, usage.ByName); err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?s)<script type="application/json" id="data">(.*?)</script>`).FindStringSubmatch(out.String())
	if m == nil {
		t.Fatalf("no data in\n%s", out.String())
	}
	var data pageData
	if err := json.Unmarshal([]byte(m[1]), &data); err != nil {
		t.Fatal(err)
	}
	return out.String(), data
}

// TestPage shows each stored byte once, loads nothing, and takes names for text.
func TestPage(t *testing.T) {
	b := newBucket(t)
	const evil = "</script><script>alert(1)"
	b.image("team/app", []string{"config", "base", "own"}, "v1")
	b.image("team/web", []string{"config", "base"}, "v1")
	b.image("other/app", []string{"base"}, "v1")
	b.image(evil, []string{"evil"}, "v1")
	b.content("orphan")
	b.rawManifest("team/app", "no JSON")
	b.upload(at.Uploads() + "0b9a2f6e-9b0c-4a51-8a4d-0b1d2b8f2c11-00")
	r := run(t, b, usage.Options{})
	r.Noncurrent = []driver.BucketSetting{{Name: driver.SoftDelete, Value: "7 days"}}
	text, data := pageOf(t, r, "s3://bucket/<prefix>")
	if got := data.Tree.sum(); got != r.Blobs.Bytes {
		t.Errorf("tiles have %d bytes, want %d", got, r.Blobs.Bytes)
	}
	var parts int64
	for _, p := range data.Parts {
		parts += p.Bytes
	}
	if parts != r.Total().Bytes {
		t.Errorf("parts have %d bytes, want %d", parts, r.Total().Bytes)
	}
	if n := strings.Count(text, "<script"); n != 3 || strings.Contains(text, evil) {
		t.Errorf("%d scripts, of which one is a repository's", n)
	}
	for _, loads := range []string{" src=", " href=", "url(", "@import", "<link", "fetch(", "<iframe"} {
		if strings.Contains(text, loads) {
			t.Errorf("the page has %q", loads)
		}
	}
	for _, want := range []string{
		"<h1>Usage of s3://bucket/&lt;prefix&gt;</h1>", "default-src &#39;none&#39;", "soft delete is 7 days", "1 manifests and 0 links", "Copyright 2010-2021 Mike Bostock", "Sorted by name.",
	} {
		if !strings.Contains(text, want) && !strings.Contains(text, strings.ReplaceAll(want, "&#39;", "'")) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if len(data.Teams) != 3 || data.Repositories[len(data.Repositories)-1].Name != "team/web" {
		t.Errorf("bars of %+v and %+v", data.Teams, data.Repositories)
	}
}

// TestPageOfMany has room for some, and loses no byte of the others.
func TestPageOfMany(t *testing.T) {
	var r usage.Report
	for i := range 3000 {
		u := usage.Usage{Name: fmt.Sprintf("team%d/app%d", i%50, i), Stored: int64(i), Exclusive: int64(i)}
		r.Repositories = append(r.Repositories, u)
		if i < 50 {
			r.Teams = append(r.Teams, usage.Usage{Name: fmt.Sprintf("team%d", i)})
		}
		r.Teams[i%50].Stored += u.Stored
		r.Teams[i%50].Exclusive += u.Exclusive
		r.Blobs.Bytes += u.Stored
	}
	text, data := pageOf(t, r, "many")
	if got, leaves := data.Tree.sum(), data.Tree.leaves(); got != r.Blobs.Bytes || leaves > 1100 {
		t.Errorf("%d tiles have %d bytes, want %d", leaves, got, r.Blobs.Bytes)
	}
	if len(data.Teams) != 40 || len(data.Repositories) != 40 || !strings.Contains(text, "10 more teams and 2960 more repositories have no bar") {
		t.Errorf("%d and %d bars", len(data.Teams), len(data.Repositories))
	}
}
