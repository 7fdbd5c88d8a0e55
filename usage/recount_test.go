package usage_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/usage"
)

// recount is a report that is made the simple way: from all keys and their content, with
// everything in memory, and by the definitions alone.
type recount struct {
	sizes    map[string]int64 // of blobs, by digest
	texts    map[string]string
	young    map[string]bool
	repos    map[string]*recounted
	report   usage.Report
	uploaded map[string][]object // by folder
}

type recounted struct {
	layers, revisions, tags, tarSums map[string]string // what the links hold, by digest, tag or tarsum
	index                            int
}

var (
	blobKey   = regexp.MustCompile(`^docker/registry/v2/blobs/(\w+)/(\w\w)/(\w+)/data$`)
	ownKey    = regexp.MustCompile(`^docker/registry/v2/repositories/(.+?)/_(layers|manifests|uploads)/(.*)$`)
	linkKey   = regexp.MustCompile(`^(?:revisions/)?(sha256|sha512)/(\w+)/link$`)
	tagKey    = regexp.MustCompile(`^tags/([^/]+)/current/link$`)
	tarSumKey = regexp.MustCompile(`^tarsum/(\w+/\w+/\w+)/link$`)
	uploadKey = regexp.MustCompile(`^docker/registry/v2/_uploads/([^/]+)/`)
)

func recountOf(b bucket) usage.Report {
	r := &recount{
		sizes: make(map[string]int64), texts: make(map[string]string), young: make(map[string]bool),
		repos: make(map[string]*recounted), uploaded: make(map[string][]object),
	}
	for e, err := range driver.List(b.t.Context(), b.Bucket, driver.ListRequest{Prefix: "docker/registry/v2/"}) {
		if err != nil {
			b.t.Fatal(err)
		}
		r.take(e.Key, b.get(e.Key), b.age(e.Key))
	}
	r.all()
	return r.report
}

func (r *recount) take(key, text string, age time.Duration) {
	size := int64(len(text))
	count := func(c *usage.Count) { c.Objects, c.Bytes = c.Objects+1, c.Bytes+size }
	upload := func(folder string) {
		count(&r.report.Uploads.Stored)
		r.uploaded[folder] = append(r.uploaded[folder], object{"size": size, "age": age})
	}
	if m := blobKey.FindStringSubmatch(key); m != nil {
		d := m[1] + ":" + m[3]
		r.sizes[d], r.texts[d], r.young[d] = size, text, age < 24*time.Hour
		count(&r.report.Blobs)
		return
	}
	if m := uploadKey.FindStringSubmatch(key); m != nil {
		upload(m[1])
		return
	}
	m := ownKey.FindStringSubmatch(key)
	if m == nil {
		count(&r.report.Others)
		return
	}
	if m[2] == "uploads" {
		folder, _, _ := strings.Cut(m[3], "/")
		upload(m[1] + " " + folder)
		return
	}
	count(&r.report.Links)
	repo := r.repos[m[1]]
	if repo == nil {
		repo = &recounted{make(map[string]string), make(map[string]string), make(map[string]string), make(map[string]string), 0}
		r.repos[m[1]] = repo
	}
	link, tag := linkKey.FindStringSubmatch(m[3]), tagKey.FindStringSubmatch(m[3])
	switch {
	case link != nil && m[2] == "layers":
		repo.layers[link[1]+":"+link[2]] = text
	case tarSumKey.MatchString(m[3]):
		repo.tarSums[m[3]] = text
	case link != nil:
		repo.revisions[link[1]+":"+link[2]] = text
	case tag != nil:
		repo.tags[tag[1]] = text
	}
}

// names are what a manifest names, and its subject.
func (r *recount) names(d string) (blobs, children []string, subject string) {
	type ref struct {
		Digest string
	}
	var doc struct {
		Config, Subject   ref
		Layers, Manifests []ref
	}
	if json.Unmarshal([]byte(r.texts[d]), &doc) != nil {
		return nil, nil, ""
	}
	for _, l := range append(doc.Layers, doc.Config) {
		blobs = append(blobs, l.Digest)
	}
	for _, m := range doc.Manifests {
		children = append(children, m.Digest)
	}
	return blobs, children, doc.Subject.Digest
}

func (r *recount) all() {
	live, reached := make(map[string]bool), make(map[string]bool)
	has := make(map[string]map[string]bool) // repositories, by blob
	malformed := make(map[string]bool)
	per := make(map[string]*usage.Usage)
	for name, repo := range r.repos {
		u := &usage.Usage{Name: name, Repositories: 1, Manifests: int64(len(repo.revisions)), Tags: int64(len(repo.tags))}
		per[name] = u
		own := maps.Clone(repo.revisions) // manifests
		unclear := false
		tagged := make(map[string]bool)
		for _, text := range repo.tags {
			if !strings.HasPrefix(text, "sha256:") {
				r.report.MalformedLinks++
				unclear = true
				continue
			}
			own[text] = text
			tagged[text] = true
		}
		for before := -1; before != len(tagged); { // until there are no more
			before = len(tagged)
			for d := range own {
				_, children, subject := r.names(d)
				for _, c := range children {
					if tagged[d] && own[c] != "" {
						tagged[c] = true
					}
				}
				if subject != "" && (tagged[subject] || own[subject] == "") {
					tagged[d] = true
				}
			}
		}
		mark := func(d string, tagged bool) {
			for _, d := range []string{d, repo.layers[d]} {
				if has[d] == nil {
					has[d] = make(map[string]bool)
				}
				has[d][name], live[d] = true, true
				reached[d] = reached[d] || tagged
			}
		}
		for _, text := range repo.tarSums {
			if !strings.HasPrefix(text, "sha") {
				r.report.MalformedLinks++
				unclear = true
			} else if repo.layers[text] != "" {
				mark(text, true)
			}
		}
		for d := range own {
			blobs, children, _ := r.names(d)
			for _, ref := range slices.Concat([]string{d}, blobs, children) {
				mark(ref, tagged[d])
			}
			if text, ok := r.texts[d]; ok && !json.Valid([]byte(text)) {
				malformed[d] = true
				unclear = true
			}
		}
		for d, target := range repo.layers {
			if unclear {
				mark(d, true)
			}
			for _, d := range []string{d, target} {
				if has[d] == nil {
					has[d] = make(map[string]bool)
				}
				has[d][name] = true
			}
		}
		for d := range repo.revisions {
			if !tagged[d] {
				u.Untagged++
			}
		}
		r.report.Untagged.Manifests += u.Untagged
	}
	r.report.MalformedManifests = int64(len(malformed))
	teams := make(map[string]*usage.Usage)
	for _, u := range per {
		name, _, _ := strings.Cut(u.Name, "/")
		if teams[name] == nil {
			teams[name] = &usage.Usage{Name: name}
		}
		of := teams[name]
		of.Repositories++
		of.Manifests += u.Manifests
		of.Untagged += u.Untagged
		of.Tags += u.Tags
	}
	count := func(c *usage.Count, d string) { c.Objects, c.Bytes = c.Objects+1, c.Bytes+r.sizes[d] }
	for d, size := range r.sizes {
		of := make(map[string]bool)
		for repo := range has[d] {
			name, _, _ := strings.Cut(repo, "/")
			of[name] = true
			per[repo].Logical += size
			teams[name].Logical += size
		}
		own := func(all map[string]*usage.Usage, owners map[string]bool) {
			for name := range owners {
				all[name].Blobs++
				all[name].Stored += size
				if len(owners) == 1 {
					all[name].Exclusive += size
				}
			}
		}
		own(per, has[d])
		own(teams, of)
		if len(has[d]) == 0 {
			count(&r.report.Orphans, d)
		}
		switch {
		case live[d] && !reached[d]:
			count(&r.report.Untagged.Only, d)
		case !live[d] && r.young[d]:
			count(&r.report.Reclaimable.Young, d)
		case !live[d]:
			count(&r.report.Reclaimable.Old, d)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(per)) {
		r.report.Repositories = append(r.report.Repositories, *per[name])
	}
	for _, name := range slices.Sorted(maps.Keys(teams)) {
		r.report.Teams = append(r.report.Teams, *teams[name])
	}
	r.uploads()
}

func (r *recount) uploads() {
	for _, objects := range r.uploaded {
		r.report.Uploads.All++
		old := true
		for _, o := range objects {
			old = old && o["age"].(time.Duration) >= 7*24*time.Hour
		}
		if !old {
			continue
		}
		r.report.Uploads.Abandoned++
		for _, o := range objects {
			r.report.Uploads.Reclaimable.Objects++
			r.report.Uploads.Reclaimable.Bytes += o["size"].(int64)
		}
	}
}
