package usage

import (
	"cmp"
	_ "embed" // for the page's parts
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
)

// The treemap is laid out by d3-hierarchy 3.1.2, https://github.com/d3/d3-hierarchy.
var (
	//go:embed page/page.html
	pageHTML string
	//go:embed page/page.css
	pageCSS string
	//go:embed page/page.js
	pageJS string
	//go:embed page/d3-hierarchy.min.js
	d3Hierarchy string
	//go:embed page/d3-hierarchy.LICENSE
	d3License string

	page = template.Must(template.New("page").Parse(pageHTML))
)

const (
	maxTiles = 1000 // repositories that the treemap has a tile for
	maxBars  = 40   // of each list
)

// HTML writes a page with a treemap and bars, in the order of the report's lists. The page
// loads nothing from anywhere. title is what the report is about, such as the bucket's URL
// without its secrets; by is what the report was sorted by.
func (r Report) HTML(w io.Writer, title string, by Order) error {
	all, total := r.All(), r.Total()
	err := page.Execute(w, map[string]any{
		"Title": title, "CSS": template.CSS(pageCSS), "JS": template.JS(pageJS), "Order": string(by), "Cut": r.cut(),
		"Library": template.JS("/*\n" + d3License + "*/\n" + d3Hierarchy),
		"Summary": fmt.Sprintf("%d blobs, %d repositories of %d teams, %d manifests, %d tags; %d objects in all.",
			r.Blobs.Objects, all.Repositories, len(r.Teams), all.Manifests, all.Tags, total.Objects),
		"Notes": r.notes(), "Data": r.data(),
	})
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return nil
}

// notes are what the numbers do not show.
func (r Report) notes() []string {
	var notes []string
	for _, s := range r.Noncurrent {
		notes = append(notes, fmt.Sprintf("Noncurrent versions are not counted: the bucket's %s is %s.", s.Name, s.Value))
	}
	if r.MalformedManifests+r.MalformedLinks > 0 {
		notes = append(notes, fmt.Sprintf("%d manifests and %d links can't be understood. Nothing that their repositories have links to counts as reclaimable.", r.MalformedManifests, r.MalformedLinks))
	}
	return notes
}

type card struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	Detail string `json:"detail"`
}

func (r Report) cards() []card {
	all, n, u := r.All(), r.Reclaimable, r.Uploads
	return []card{
		{"stored", r.Total().Bytes, "blobs, links, uploads"},
		{"logical", all.Logical, "what each repository has, added up"},
		{"deduplicated", all.Deduplicated(), "logical, minus what of it is stored"},
		{"reclaimable", n.Old.Bytes, fmt.Sprintf("%d blobs; %d more are young", n.Old.Objects, n.Young.Objects)},
		{"of untagged manifests alone", r.Untagged.Only.Bytes, fmt.Sprintf("%d untagged manifests", r.Untagged.Manifests)},
		{"in abandoned uploads", u.Reclaimable.Bytes, fmt.Sprintf("%d of %d uploads", u.Abandoned, u.All)},
	}
}

// cut says what the page has no room for.
func (r Report) cut() string {
	var parts []string
	if n := len(r.Teams) - maxBars; n > 0 {
		parts = append(parts, fmt.Sprintf("%d more teams", n))
	}
	if n := len(r.Repositories) - maxBars; n > 0 {
		parts = append(parts, fmt.Sprintf("%d more repositories", n))
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, " and ") + " have no bar"
}

// part is a piece of the bar of all that the bucket holds.
type part struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	Color string `json:"color"`
}

// row is a bar.
type row struct {
	Name      string `json:"name"`
	Exclusive int64  `json:"exclusive"`
	Shared    int64  `json:"shared"`
	Manifests int64  `json:"manifests"`
	Untagged  int64  `json:"untagged"`
}

// tile is a piece of the treemap. All tiles without children are what is stored, each byte once.
type tile struct {
	Name     string  `json:"name"`
	Title    string  `json:"title,omitempty"` // in full
	Kind     string  `json:"kind,omitempty"`  // repository, team (what several repositories of it have), several (teams), orphans
	Bytes    int64   `json:"bytes,omitempty"`
	Children []*tile `json:"children,omitempty"`
}

func (r Report) data() any {
	n, u := r.Reclaimable, r.Uploads
	parts := []part{
		{"reached from tags", r.Blobs.Bytes - r.Untagged.Only.Bytes - n.Old.Bytes - n.Young.Bytes, "#2f6fb7"},
		{"of untagged manifests alone", r.Untagged.Only.Bytes, "#8a63b5"},
		{"reclaimable", n.Old.Bytes, "#c9472f"},
		{"named by no manifest, but young", n.Young.Bytes, "#e39a35"},
		{"abandoned uploads", u.Reclaimable.Bytes, "#93572b"},
		{"uploads under way", u.Stored.Bytes - u.Reclaimable.Bytes, "#3f9c6c"},
		{"links and others", r.Links.Bytes + r.Others.Bytes, "#6b7380"},
	}
	return map[string]any{"cards": r.cards(), "parts": parts, "teams": rows(r.Teams), "repositories": rows(r.Repositories), "tree": r.tree()}
}

func rows(list []Usage) []row {
	rows := []row{}
	for _, u := range list[:min(len(list), maxBars)] {
		rows = append(rows, row{u.Name, u.Exclusive, u.Shared(), u.Manifests, u.Untagged})
	}
	return rows
}

func (r Report) tree() *tile {
	root := &tile{Name: "all teams"}
	teams := make(map[string]*tile)
	shared := r.All().Stored
	for _, u := range r.Teams {
		t := &tile{Name: u.Name}
		teams[u.Name] = t
		root.Children = append(root.Children, t)
		shared -= u.Exclusive
	}
	largest := slices.Clone(r.Repositories)
	slices.SortFunc(largest, func(x, y Usage) int { return cmp.Compare(y.Exclusive, x.Exclusive) })
	small := make(map[string]*tile)
	own := make(map[string]int64) // of a team's repositories, each alone
	for i, u := range largest {
		name := teamOf(u.Name)
		own[name] += u.Exclusive
		t := teams[name]
		if i < maxTiles {
			short := strings.TrimPrefix(u.Name, name+"/")
			t.Children = append(t.Children, &tile{Name: short, Title: u.Name, Kind: "repository", Bytes: u.Exclusive})
			continue
		}
		if small[name] == nil {
			small[name] = &tile{Name: "smaller repositories", Title: "smaller repositories of " + name, Kind: "repository"}
			t.Children = append(t.Children, small[name])
		}
		small[name].Bytes += u.Exclusive
	}
	for _, u := range r.Teams {
		if within := u.Exclusive - own[u.Name]; within > 0 {
			t := teams[u.Name]
			t.Children = append(t.Children, &tile{Name: "shared", Title: "shared by repositories of " + u.Name, Kind: "team", Bytes: within})
		}
	}
	root.Children = append(root.Children,
		&tile{Name: "shared by teams", Kind: "several", Bytes: shared},
		&tile{Name: "of no repository", Kind: "orphans", Bytes: r.Orphans.Bytes})
	return root
}
