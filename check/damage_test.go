package check_test

import (
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/check"
)

func TestNothingIsWrong(t *testing.T) {
	b := newBucket(t)
	populate(b)
	before := b.all()
	for _, o := range []check.Options{{}, {Digest: true}, {Digest: true, Repair: check.Repairable()}, {Concurrency: 1}} {
		s, found := run(t, b, o)
		if len(found) > 0 || s.Damaged != 0 || s.Orphans != 0 || s.Repositories != 7 {
			t.Errorf("%+v: found %+v, %+v", o, found, s)
		}
	}
	if diff := gocmp.Diff(before, b.all()); diff != "" {
		t.Errorf("the bucket has changed (-before +after):\n%s", diff)
	}
}

// TestDamage plants one damage at a time in a registry that has none. Nothing else
// is found. What can be repaired is, after which the bucket is what it was.
func TestDamage(t *testing.T) {
	const other = digest.Digest("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
	type found = check.Finding
	v1latest := []string{"latest", "v1"}
	// inBoth is f in the two repositories that have the image.
	inBoth := func(f found) []found {
		g := f
		f.Repository, f.Tags = "release/app", []string{"v1"}
		g.Repository, g.Tags = "team/app", v1latest
		return []found{f, g}
	}
	for _, tt := range []struct {
		name  string
		plant func(bucket, population)
		want  func(population) []check.Finding
		// stays tells that it can't be repaired, or not all of it.
		stays bool
		// digest tells that it takes a look at the content.
		digest bool
	}{{
		name:  "blob of zero bytes",
		plant: func(b bucket, p population) { b.put(at.Blob(p.old.config.Digest), "") },
		want: func(p population) []found {
			d, m := p.old.config.Digest, p.old.manifest.Digest
			return []found{
				{Kind: check.BlobEmpty, Key: at.Blob(d), Digest: d, Detail: "remove the object and push it again"},
				{Kind: check.ReferenceBroken, Key: at.Blob(d), Repository: "team/app", Digest: d, Manifest: m, Detail: "it is empty"},
			}
		},
		stays: true,
	}, {
		name:  "empty blob that nobody has",
		plant: func(b bucket, _ population) { b.put(at.Blob(other), "") },
		want: func(population) []found {
			return []found{
				{Kind: check.BlobEmpty, Key: at.Blob(other), Digest: other, Detail: "remove the object and push it again"},
				{Kind: check.BlobOrphan, Key: at.Blob(other), Digest: other, Detail: "0 bytes"},
			}
		},
		stays: true,
	}, {
		name:  "layer with other content",
		plant: func(b bucket, p population) { b.put(at.Blob(p.old.layers[0].Digest), "OLD layer 1") },
		want: func(p population) []found {
			d, m := p.old.layers[0].Digest, p.old.manifest.Digest
			return []found{
				{Kind: check.BlobDigest, Key: at.Blob(d), Digest: d, Detail: "remove the object and push it again"},
				{Kind: check.ReferenceBroken, Key: at.Blob(d), Repository: "team/app", Digest: d, Manifest: m, Detail: "it has other content"},
			}
		},
		stays: true, digest: true,
	}, {
		name:  "manifest with other content",
		plant: func(b bucket, p population) { b.put(at.Blob(p.arm.manifest.Digest), "{}") },
		want: func(p population) []found {
			d := p.arm.manifest.Digest
			return []found{
				{Kind: check.BlobDigest, Key: at.Blob(d), Repository: "multi", Digest: d, Detail: "remove the object and push it again"},
				{Kind: check.ReferenceBroken, Key: at.Blob(d), Repository: "multi", Digest: d, Manifest: p.index.Digest, Tags: []string{"latest"}, Detail: "it has other content"},
			}
		},
		stays: true,
	}, {
		name:  "layer cut short",
		plant: func(b bucket, p population) { b.put(at.Blob(p.app.layers[0].Digest), "app") },
		want: func(p population) []found {
			d, m := p.app.layers[0].Digest, p.app.manifest.Digest
			return inBoth(found{Kind: check.ReferenceSize, Key: at.Blob(d), Digest: d, Manifest: m, Detail: "it has 3 bytes, want 11"})
		},
		stays: true,
	}, {
		name:  "layer gone",
		plant: func(b bucket, p population) { b.remove(at.Blob(p.app.layers[0].Digest)) },
		want: func(p population) []found {
			d, m := p.app.layers[0].Digest, p.app.manifest.Digest
			return inBoth(found{Kind: check.ReferenceBroken, Key: at.Blob(d), Digest: d, Manifest: m, Detail: "it is missing"})
		},
		stays: true,
	}, {
		name:  "blob gone that no manifest needs",
		plant: func(b bucket, _ population) { b.put(at.LayerLink("multi", other), other.String()) },
		want: func(population) []found {
			return []found{{Kind: check.LayerDangling, Key: at.LayerLink("multi", other), Repository: "multi", Digest: other}}
		},
		stays: true,
	}, {
		name: "tarsums",
		plant: func(b bucket, p population) {
			b.put(at.TarSumLink("multi", "v1/sha256/good"), p.arm.layers[1].Digest.String())
			b.put(at.TarSumLink("multi", "v1/sha256/deleted"), other.String())
			b.put(at.TarSumLink("multi", "v1/sha256/damaged"), "sha256:")
		},
		want: func(population) []found {
			return []found{
				{Kind: check.LinkMalformed, Key: at.TarSumLink("multi", "v1/sha256/damaged"), Repository: "multi", Detail: "it holds no digest"},
				{Kind: check.TarSumDangling, Key: at.TarSumLink("multi", "v1/sha256/deleted"), Repository: "multi", Digest: other, Detail: "the repository does not have " + other.String()},
			}
		},
		stays: true,
	}, {
		name:  "link to a layer gone",
		plant: func(b bucket, p population) { b.remove(at.LayerLink("multi", p.arm.layers[1].Digest)) },
		want: func(p population) []found {
			d := p.arm.layers[1].Digest
			key := at.LayerLink("multi", d)
			return []found{{Kind: check.ReferenceUnlinked, Key: key, Repository: "multi", Digest: d, Manifest: p.arm.manifest.Digest, Detail: "its blob is there", Repair: key}}
		},
	}, {
		name:  "link to a layer that is no digest",
		plant: func(b bucket, p population) { b.put(at.LayerLink("multi", p.arm.layers[1].Digest), "sha256:") },
		want: func(p population) []found {
			d := p.arm.layers[1].Digest
			key := at.LayerLink("multi", d)
			return []found{{Kind: check.LinkMalformed, Key: key, Repository: "multi", Digest: d, Detail: "it holds no digest", Repair: key}}
		},
	}, {
		name: "empty link to a layer that is gone",
		plant: func(b bucket, p population) {
			b.put(at.LayerLink("multi", p.arm.layers[1].Digest), "")
			b.remove(at.Blob(p.arm.layers[1].Digest))
		},
		want: func(p population) []found {
			d := p.arm.layers[1].Digest
			return []found{
				{Kind: check.LinkMalformed, Key: at.LayerLink("multi", d), Repository: "multi", Digest: d, Detail: "it holds no digest"},
				{Kind: check.ReferenceBroken, Key: at.Blob(d), Repository: "multi", Digest: d, Manifest: p.arm.manifest.Digest, Detail: "it is missing"},
			}
		},
		stays: true,
	}, {
		name: "link to another layer",
		plant: func(b bucket, p population) {
			b.put(at.LayerLink("multi", p.arm.layers[1].Digest), p.arm.layers[0].Digest.String())
		},
		want: func(p population) []found {
			d := p.arm.layers[1].Digest
			key := at.LayerLink("multi", d)
			return []found{{Kind: check.LinkMismatch, Key: key, Repository: "multi", Digest: d, Detail: "it holds " + p.arm.layers[0].Digest.String(), Repair: key}}
		},
	}, {
		name: "link to a manifest with a line's end",
		plant: func(b bucket, p population) {
			b.put(at.RevisionLink("team/app", p.app.manifest.Digest), p.app.manifest.Digest.String()+"\n")
		},
		want: func(p population) []found {
			d := p.app.manifest.Digest
			key := at.RevisionLink("team/app", d)
			return []found{{Kind: check.LinkMalformed, Key: key, Repository: "team/app", Digest: d, Tags: v1latest, Detail: "it holds no digest", Repair: key}}
		},
	}, {
		name: "link to another manifest",
		plant: func(b bucket, p population) {
			b.put(at.RevisionLink("team/app", p.old.manifest.Digest), p.app.manifest.Digest.String())
		},
		want: func(p population) []found {
			d := p.old.manifest.Digest
			key := at.RevisionLink("team/app", d)
			return []found{{Kind: check.LinkMismatch, Key: key, Repository: "team/app", Digest: d, Detail: "it holds " + p.app.manifest.Digest.String(), Repair: key}}
		},
	}, {
		name:  "manifest gone",
		plant: func(b bucket, p population) { b.remove(at.Blob(p.app.manifest.Digest)) },
		want: func(p population) []found {
			d := p.app.manifest.Digest
			f := found{Kind: check.ManifestMissing, Key: at.Blob(d), Repository: "release/app", Digest: d, Tags: []string{"v1"}, Detail: "it is missing"}
			g := f
			g.Repository, g.Tags = "team/app", v1latest
			return []found{f, g}
		},
		stays: true,
	}, {
		name: "manifest that is no JSON",
		plant: func(b bucket, _ population) {
			b.rawManifest("multi", v1.MediaTypeImageManifest, []byte("hello"), "bad")
		},
		want: func(population) []found {
			d := digest.FromString("hello")
			return []found{{Kind: check.ManifestMalformed, Key: at.Blob(d), Repository: "multi", Digest: d, Tags: []string{"bad"}, Detail: "invalid character 'h' looking for beginning of value"}}
		},
		stays: true,
	}, {
		name: "manifest of an unknown type that refers to a blob that is gone",
		plant: func(b bucket, _ population) {
			b.rawManifest("multi", "", []byte(`{"mediaType":"application/vnd.x+json","blobs":[{"digest":"`+other.String()+`"}]}`))
		},
		want: func(population) []found {
			d := digest.FromString(`{"mediaType":"application/vnd.x+json","blobs":[{"digest":"` + other.String() + `"}]}`)
			return []found{{Kind: check.ReferenceBroken, Key: at.Blob(other), Repository: "multi", Digest: other, Manifest: d, Detail: "it is missing"}}
		},
		stays: true,
	}, {
		name:  "manifest of another version",
		plant: func(b bucket, _ population) { b.rawManifest("multi", "", []byte(`{"schemaVersion":3}`)) },
		want: func(population) []found {
			d := digest.FromString(`{"schemaVersion":3}`)
			return []found{{Kind: check.ManifestMalformed, Key: at.Blob(d), Repository: "multi", Digest: d, Detail: "schema version 3"}}
		},
		stays: true,
	}, {
		name:  "manifest that refers to no digest",
		plant: func(b bucket, _ population) { b.rawManifest("multi", "", []byte(`{"schemaVersion":2}`)) },
		want: func(population) []found {
			d := digest.FromString(`{"schemaVersion":2}`)
			return []found{{Kind: check.ManifestMalformed, Key: at.Blob(d), Repository: "multi", Digest: d, Detail: `refers to "": invalid checksum digest format`}}
		},
		stays: true,
	}, {
		name:  "manifest that is too long",
		plant: func(b bucket, _ population) { b.rawManifest("multi", "", []byte(strings.Repeat(" ", 4<<20+1))) },
		want: func(population) []found {
			d := digest.FromString(strings.Repeat(" ", 4<<20+1))
			return []found{{Kind: check.ManifestMalformed, Key: at.Blob(d), Repository: "multi", Digest: d, Detail: "4194305 bytes, more than a registry takes"}}
		},
		stays: true,
	}, {
		name:  "manifest of schema 1",
		plant: func(b bucket, _ population) { b.rawManifest("multi", "", []byte(`{"schemaVersion":1}`), "ancient") },
		want: func(population) []found {
			d := digest.FromString(`{"schemaVersion":1}`)
			return []found{{Kind: check.ManifestSchema1, Key: at.Blob(d), Repository: "multi", Digest: d, Tags: []string{"ancient"}}}
		},
		stays: true,
	}, {
		name: "manifest of an index gone",
		plant: func(b bucket, p population) {
			b.remove(at.Blob(p.arm.manifest.Digest))
			b.remove(at.RevisionLink("multi", p.arm.manifest.Digest))
		},
		want: func(p population) []found {
			d := p.arm.manifest.Digest
			return []found{{Kind: check.ChildMissing, Key: at.Blob(d), Repository: "multi", Digest: d, Manifest: p.index.Digest, Tags: []string{"latest"}, Detail: "it is missing"}}
		},
		stays: true,
	}, {
		name:  "manifest of an index not linked",
		plant: func(b bucket, p population) { b.remove(at.RevisionLink("multi", p.arm.manifest.Digest)) },
		want: func(p population) []found {
			d := p.arm.manifest.Digest
			key := at.RevisionLink("multi", d)
			return []found{{Kind: check.ChildUnlinked, Key: key, Repository: "multi", Digest: d, Manifest: p.index.Digest, Tags: []string{"latest"}, Detail: "its blob is there", Repair: key}}
		},
	}, {
		name: "all links of an image gone but its tag's",
		plant: func(b bucket, p population) {
			b.remove(at.RevisionLink("release/app", p.app.manifest.Digest))
			for _, d := range append(p.app.layers, p.app.config) {
				b.remove(at.LayerLink("release/app", d.Digest))
			}
		},
		want: func(p population) []found {
			m := p.app.manifest.Digest
			key := at.RevisionLink("release/app", m)
			all := []found{{Kind: check.TagUnlinked, Key: at.TagLink("release/app", "v1"), Repository: "release/app", Digest: m, Tags: []string{"v1"}, Detail: "the repository does not have " + m.String(), Repair: key}}
			for _, d := range append(p.app.layers, p.app.config) {
				key := at.LayerLink("release/app", d.Digest)
				all = append(all, found{Kind: check.ReferenceUnlinked, Key: key, Repository: "release/app", Digest: d.Digest, Manifest: m, Tags: []string{"v1"}, Detail: "its blob is there", Repair: key})
			}
			return all
		},
	}, {
		name:  "tag of what is gone",
		plant: func(b bucket, _ population) { b.put(at.TagLink("team/app", "v1"), other.String()) },
		want: func(population) []found {
			return []found{{Kind: check.TagMissing, Key: at.TagLink("team/app", "v1"), Repository: "team/app", Digest: other, Tags: []string{"v1"}, Detail: other.String() + " is missing"}}
		},
		stays: true,
	}, {
		name:  "tag that is no digest, and was moved",
		plant: func(b bucket, _ population) { b.put(at.TagLink("team/app", "v1"), "") },
		want: func(population) []found {
			return []found{{Kind: check.LinkMalformed, Key: at.TagLink("team/app", "v1"), Repository: "team/app", Tags: []string{"v1"}, Detail: "it holds no digest"}}
		},
		stays: true,
	}, {
		name:  "tag that is no digest, and never was moved",
		plant: func(b bucket, _ population) { b.put(at.TagLink("team/app", "latest"), "") },
		want: func(population) []found {
			key := at.TagLink("team/app", "latest")
			return []found{{Kind: check.LinkMalformed, Key: key, Repository: "team/app", Tags: []string{"latest"}, Detail: "it holds no digest", Repair: key}}
		},
	}, {
		name:  "tag without its history",
		plant: func(b bucket, p population) { b.remove(at.TagIndexLink("team/app", "v1", p.app.manifest.Digest)) },
		want: func(p population) []found {
			d := p.app.manifest.Digest
			return []found{{Kind: check.TagUnindexed, Key: at.TagLink("team/app", "v1"), Repository: "team/app", Digest: d, Tags: []string{"v1"}, Detail: "it lacks " + d.String(), Repair: at.TagIndexLink("team/app", "v1", d)}}
		},
	}, {
		name: "a tag's history that names another",
		plant: func(b bucket, p population) {
			b.put(at.TagIndexLink("team/app", "v1", p.app.manifest.Digest), p.old.manifest.Digest.String())
		},
		want: func(p population) []found {
			d := p.app.manifest.Digest
			key := at.TagIndexLink("team/app", "v1", d)
			return []found{{Kind: check.LinkMismatch, Key: key, Repository: "team/app", Digest: d, Tags: []string{"v1"}, Detail: "it holds " + p.old.manifest.Digest.String(), Repair: key}}
		},
	}, {
		name:  "history without a tag",
		plant: func(b bucket, _ population) { b.remove(at.TagLink("team/app", "latest")) },
		want: func(population) []found {
			return []found{{Kind: check.TagIncomplete, Key: at.TagLink("team/app", "latest"), Repository: "team/app", Tags: []string{"latest"}, Detail: "push it again, or delete it"}}
		},
		stays: true,
	}, {
		name:  "key that garbage collection stops at",
		plant: func(b bucket, _ population) { b.put(at.Blobs()+"sha256/ab/abcd/data", "x") },
		want: func(population) []found {
			return []found{{Kind: check.BlobStray, Key: at.Blobs() + "sha256/ab/abcd/data", Detail: "its name is no digest's"}}
		},
		stays: true,
	}, {
		name: "keys without a place",
		plant: func(b bucket, _ population) {
			b.put(at.Blobs()+"README", "x")
			b.put(at.Repositories()+"team/README", "x")
		},
		want: func(population) []found {
			return []found{{Kind: check.KeyUnknown, Key: at.Blobs() + "README"}, {Kind: check.KeyUnknown, Key: at.Repositories() + "team/README"}}
		},
		stays: true,
	}, {
		name:  "repository that can't be asked for",
		plant: func(b bucket, _ population) { b.image("Team", "app") },
		want: func(population) []found {
			return []found{{Kind: check.RepositoryName, Key: at.Repository("Team"), Repository: "Team", Detail: "invalid reference format"}}
		},
		stays: true,
	}, {
		name:  "blob that nobody has",
		plant: func(b bucket, _ population) { b.put(at.Blob(digest.FromString("orphan")), "orphan") },
		want: func(population) []found {
			d := digest.FromString("orphan")
			return []found{{Kind: check.BlobOrphan, Key: at.Blob(d), Digest: d, Detail: "6 bytes"}}
		},
		stays: true,
	}} {
		t.Run(strings.ReplaceAll(tt.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			b := newBucket(t)
			p := populate(b)
			before := b.all()
			tt.plant(b, p)
			planted := b.all()
			want := sorted(tt.want(p))

			if tt.digest {
				if _, got := run(t, b, check.Options{}); len(got) > 0 {
					t.Errorf("without digests: found %+v", got)
				}
			}
			s, got := run(t, b, check.Options{Digest: tt.digest})
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
			damaged := int64(0)
			for _, f := range want {
				if f.Kind.Damage() {
					damaged++
				}
			}
			if s.Damaged != damaged || s.Repaired != 0 {
				t.Errorf("summary: %d damaged, %d repaired, want %d and none", s.Damaged, s.Repaired, damaged)
			}
			if diff := gocmp.Diff(planted, b.all()); diff != "" {
				t.Errorf("the bucket has changed without being repaired (-before +after):\n%s", diff)
			}

			for i := range want {
				want[i].Repaired = want[i].Repair != ""
			}
			s, got = run(t, b, check.Options{Digest: tt.digest, Repair: check.Repairable()})
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("repaired (-want +got):\n%s", diff)
			}
			if tt.stays {
				before = planted
			} else if s.Repaired != damaged {
				t.Errorf("%d of %d repaired", s.Repaired, damaged)
			}
			if diff := gocmp.Diff(before, b.all()); diff != "" {
				t.Errorf("the bucket after repairing (-want +got):\n%s", diff)
			}
			if _, got = run(t, b, check.Options{Digest: tt.digest}); (len(got) > 0) != tt.stays {
				t.Errorf("after repairing: found %+v", got)
			}
		})
	}
}
