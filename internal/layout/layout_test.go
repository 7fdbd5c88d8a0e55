package layout_test

import (
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/internal/layout"
)

const (
	hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	d   = digest.Digest("sha256:" + hex)
	id  = "0b9a2f6e-9b0c-4a51-8a4d-0b1d2b8f2c11"
)

var l = layout.Layout{Root: layout.DefaultRoot}

func TestKeys(t *testing.T) {
	const root = "docker/registry/v2/"
	const repo = root + "repositories/a/b/"
	for _, c := range []struct {
		got, want string
		name      layout.Name
	}{
		{l.Blob(d), root + "blobs/sha256/e3/" + hex + "/data", layout.Name{Kind: layout.Blob, Digest: d}},
		{l.LayerLink("a/b", d), repo + "_layers/sha256/" + hex + "/link", layout.Name{Kind: layout.LayerLink, Repo: "a/b", Digest: d}},
		{l.TarSumLink("a/b", "v1/sha256/"+hex), repo + "_layers/tarsum/v1/sha256/" + hex + "/link", layout.Name{Kind: layout.TarSumLink, Repo: "a/b", TarSum: "v1/sha256/" + hex}},
		{l.RevisionLink("a/b", d), repo + "_manifests/revisions/sha256/" + hex + "/link", layout.Name{Kind: layout.RevisionLink, Repo: "a/b", Digest: d}},
		{l.TagLink("a/b", "v1"), repo + "_manifests/tags/v1/current/link", layout.Name{Kind: layout.TagLink, Repo: "a/b", Tag: "v1"}},
		{l.TagIndexLink("a/b", "v1", d), repo + "_manifests/tags/v1/index/sha256/" + hex + "/link", layout.Name{Kind: layout.TagIndexLink, Repo: "a/b", Tag: "v1", Digest: d}},
		{l.Referrer("a/b", d, d), repo + "_manifests/referrers/sha256/" + hex + "/sha256/" + hex + "/link", layout.Name{Kind: layout.Referrer, Repo: "a/b", Subject: d, Digest: d}},
		{l.SignatureLink("a/b", d, d), repo + "_manifests/revisions/sha256/" + hex + "/signatures/sha256/" + hex + "/link", layout.Name{Kind: layout.SignatureLink, Repo: "a/b", Subject: d, Digest: d}},
		{l.Upload("a/b", id) + "/session", repo + "_uploads/" + id + "/session", layout.Name{Kind: layout.Upload, Repo: "a/b", Dir: repo + "_uploads/" + id}},
	} {
		if c.got != c.want {
			t.Errorf("key %s, want %s", c.got, c.want)
		}
		if name, ok := l.Parse(c.got); !ok || name != c.name {
			t.Errorf("Parse(%s) = %+v, %v, want %+v", c.got, name, ok, c.name)
		}
	}
}

func TestNoPlace(t *testing.T) {
	const root = "docker/registry/v2/"
	for _, key := range []string{
		"",
		"elsewhere",
		root + "blobs/",
		root + "blobs/sha256/00/" + hex + "/data",
		root + "blobs/sha256/e3/e3b0/data",
		root + "blobs/sha256/e3/" + hex + "/other",
		root + "blobs/sha256/e3/" + hex + "/data/more",
		root + "repositories/a",
		root + "repositories/_layers/sha256/" + hex + "/link",
		root + "repositories/a/_layers/sha256/e3b0/link",
		root + "repositories/a/_layers/link",
		root + "repositories/a/_layers",
		root + "repositories/a/_layers/tarsum",
		root + "repositories/a/_layers/tarsum/link",
		root + "repositories/a/_layers/tarsum/v1/sha256/link",
		root + "repositories/a/_layers/tarsum//sha256/" + hex + "/link",
		root + "repositories/a/_layers/tarsum/../sha256/" + hex + "/link",
		root + "repositories/a/_layers/tarsum/v1/sha256/" + hex + "/data",
		root + "repositories/a/_layers/tarsum/v1/sha256/" + hex + "/link/link",
		root + "repositories/a/_manifests",
		root + "repositories/a/_manifests/tags",
		root + "repositories/a/_manifests/referrers",
		root + "repositories/a/_manifests/referrers/sha256/" + hex + "/link",
		root + "repositories/a/_manifests/referrers/sha256/" + hex + "/sha256/e3b0/link",
		root + "repositories/a/_manifests/referrers/sha256/e3b0/sha256/" + hex + "/link",
		root + "repositories/a/_manifests/referrers/sha256/" + hex + "/sha256/" + hex + "/data",
		root + "repositories/a/_manifests/referrers/sha256/" + hex + "/sha256/" + hex + "/link/link",
		root + "repositories/a/_manifests/tags/v1",
		root + "repositories/a/_manifests/tags/v1/current",
		root + "repositories/a/_manifests/tags/v1/index/link",
		root + "repositories/a/_manifests/tags//current/link",
		root + "repositories/a/_manifests/revisions/md5/" + hex + "/link",
		root + "repositories/a/_manifests/revisions/sha256/" + hex + "/signatures",
		root + "repositories/a/_manifests/revisions/sha256/" + hex + "/signatures/link",
		root + "repositories/a/_manifests/revisions/sha256/e3b0/signatures/sha256/" + hex + "/link",
		root + "repositories/a/_uploads/" + id,
		root + "repositories/a/_uploads/1/session",
		root + "repositories/a/_other/" + hex,
	} {
		if name, ok := l.Parse(key); ok {
			t.Errorf("Parse(%q) = %+v", key, name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("docker/registry/v2/blobs/sha256/e3/" + hex + "/data")
	f.Add("docker/registry/v2/repositories/a/_layers/tarsum/v1/sha256/" + hex + "/link")
	f.Add("docker/registry/v2/repositories/a/_manifests/tags/v1/index/sha256/" + hex + "/link")
	f.Add("docker/registry/v2/repositories/a/_manifests/referrers/sha256/" + hex + "/sha256/" + hex + "/link")
	f.Add("docker/registry/v2/repositories/a/_manifests/revisions/sha256/" + hex + "/signatures/sha256/" + hex + "/link")
	f.Fuzz(func(t *testing.T, key string) {
		n, ok := l.Parse(key)
		if !ok {
			return
		}
		again := map[layout.Kind]func() string{
			layout.Blob:          func() string { return l.Blob(n.Digest) },
			layout.LayerLink:     func() string { return l.LayerLink(n.Repo, n.Digest) },
			layout.TarSumLink:    func() string { return l.TarSumLink(n.Repo, n.TarSum) },
			layout.RevisionLink:  func() string { return l.RevisionLink(n.Repo, n.Digest) },
			layout.TagLink:       func() string { return l.TagLink(n.Repo, n.Tag) },
			layout.TagIndexLink:  func() string { return l.TagIndexLink(n.Repo, n.Tag, n.Digest) },
			layout.Referrer:      func() string { return l.Referrer(n.Repo, n.Subject, n.Digest) },
			layout.SignatureLink: func() string { return l.SignatureLink(n.Repo, n.Subject, n.Digest) },
			layout.Upload:        func() string { return n.Dir + key[len(n.Dir):] },
		}[n.Kind]()
		if again != key {
			t.Errorf("Parse(%q) = %+v, which is %q", key, n, again)
		}
	})
}
