package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/usage"
)

type usageFlags struct {
	sort, html           string
	limit, concurrency   int
	olderThan, uploadAge time.Duration
	json, csv            bool
}

func usageCommand() *cobra.Command {
	var f usageFlags
	cmd := &cobra.Command{
		Use:     "usage URL",
		Aliases: []string{"du"},
		Short:   "Tell who uses how much of a registry's bucket, and what could be freed",
		Long: `Tell how many bytes the repositories of a registry and its teams have: a team is the first
component of repositories' names. Exclusive are the bytes that nobody else has, shared those
that others have, too. It also tells what no manifest names, what untagged manifests
alone keep, and what abandoned uploads take. The registry may run meanwhile. Nothing is
written to the bucket.

Exits with 1 when the store could not be read or there is no registry. Manifests and links
that can't be understood are listed on the standard error, and counted.`,
		Example: `  blobdock usage 's3://my-bucket/registry?region=eu-west-1'
  blobdock usage --sort untagged --limit 20 gs://my-bucket/registry
  blobdock du --html usage.html 'azblob://my-container/registry?account=a'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return runUsage(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr(), args[0], f)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.sort, "sort", string(usage.ByExclusive), fmt.Sprintf("the `order`: one of %v", usage.Orders()))
	fl.IntVar(&f.limit, "limit", 0, "how many teams and repositories to print; 0 is all")
	fl.DurationVar(&f.olderThan, "older-than", 24*time.Hour, "what is younger and named by no manifest may belong to a push under way, and is not reclaimable")
	fl.DurationVar(&f.uploadAge, "upload-age", blobstore.DefaultSweepAge, "how long an abandoned upload has not been touched")
	fl.IntVar(&f.concurrency, "concurrency", 16, "how many requests are made at the same time")
	fl.BoolVar(&f.json, "json", false, "print a JSON object a line; the last has the kind summary")
	fl.BoolVar(&f.csv, "csv", false, "print comma-separated values: a line for each team and repository")
	fl.StringVar(&f.html, "html", "", "also write a page with a treemap and bars to a `file`")
	cmd.MarkFlagsMutuallyExclusive("json", "csv")
	return cmd
}

func (f usageFlags) options() (o usage.Options, err error) {
	switch {
	case f.olderThan < 0:
		return o, fmt.Errorf("--older-than %v: want 0s or more", f.olderThan)
	case f.uploadAge < 0:
		return o, fmt.Errorf("--upload-age %v: want 0s or more", f.uploadAge)
	case f.concurrency < 1 || f.concurrency > maxReads:
		return o, fmt.Errorf("--concurrency %d: want 1 to %d", f.concurrency, maxReads)
	case f.limit < 0:
		return o, fmt.Errorf("--limit %d: want 0 or more", f.limit)
	}
	if err := new(usage.Report).Sort(usage.Order(f.sort)); err != nil {
		return o, fmt.Errorf("--sort: %w", err)
	}
	return usage.Options{OlderThan: max(f.olderThan, 1), UploadAge: max(f.uploadAge, 1), Concurrency: f.concurrency}, nil
}

func runUsage(ctx context.Context, out, progress io.Writer, storage string, f usageFlags) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	page, err := newPage(f.html)
	if err != nil {
		return fmt.Errorf("--html %s: %w", f.html, err)
	}
	defer page.drop()
	store, err := openStore(ctx, storage)
	if err != nil {
		return err
	}
	defer store.Close()
	p := &phaseBar{out: progress}
	o.Progress = func(now usage.Progress) { p.at(string(now.Phase), false, now.Done, now.Done) }
	o.OnFault = func(fault usage.Fault) {
		p.clear()
		f.printFault(out, progress, fault)
	}
	report, err := usage.Run(ctx, store.Bucket(), o)
	p.bar.close()
	switch {
	case errors.Is(err, usage.ErrNoRegistry):
		return fmt.Errorf("usage %s: %w: is the prefix in the URL right?", redact(storage), err)
	case err != nil:
		return fmt.Errorf("usage %s: %w", redact(storage), err)
	}
	if err := report.Sort(usage.Order(f.sort)); err != nil {
		return err
	}
	if err := f.print(out, report); err != nil {
		return err
	}
	if err := page.write(report, identity(storage), usage.Order(f.sort)); err != nil {
		return fmt.Errorf("--html %s: %w", f.html, err)
	}
	return nil
}

// htmlPage is a file that appears when it is complete. The nil page is none.
type htmlPage struct {
	path string
	file *os.File
}

// newPage fails where no file can be written, before a long run.
func newPage(path string) (*htmlPage, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // no page is asked for
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	return &htmlPage{path, file}, nil
}

func (p *htmlPage) write(r usage.Report, title string, by usage.Order) error {
	if p == nil {
		return nil
	}
	if err := r.HTML(p.file, title, by); err != nil {
		return err
	}
	if err := p.file.Close(); err != nil {
		return err
	}
	return os.Rename(p.file.Name(), p.path)
}

// drop removes what was not written to its end.
func (p *htmlPage) drop() {
	if p != nil {
		_ = p.file.Close()
		_ = os.Remove(p.file.Name())
	}
}

func (f usageFlags) printFault(out, stderr io.Writer, fault usage.Fault) {
	if f.json {
		printJSON(out, map[string]any{"kind": fault.Kind, "key": fault.Key, "repository": fault.Repository, "detail": fault.Detail})
		return
	}
	fmt.Fprintf(stderr, "%-18s %s\n%19sin %s\n%19s%s\n", fault.Kind, fault.Key, "", fault.Repository, "", fault.Detail)
}

func (f usageFlags) print(out io.Writer, r usage.Report) error {
	switch {
	case f.json:
		f.printUsageJSON(out, r)
		return nil
	case f.csv:
		return f.printCSV(out, r)
	default:
		return f.printTables(out, r)
	}
}

// first are those that --limit leaves.
func (f usageFlags) first(list []usage.Usage) []usage.Usage {
	if f.limit == 0 {
		return list
	}
	return list[:min(f.limit, len(list))]
}

func (f usageFlags) printTables(out io.Writer, r usage.Report) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(cells ...any) {
		for i, c := range cells {
			if i > 0 {
				fmt.Fprint(table, "\t")
			}
			fmt.Fprint(table, c)
		}
		fmt.Fprintln(table)
	}
	row("EXCLUSIVE", "SHARED", "LOGICAL", "DEDUPLICATED", "REPOSITORIES", "MANIFESTS", "UNTAGGED", "  TEAM")
	for _, u := range f.first(r.Teams) {
		row(size(u.Exclusive), size(u.Shared()), size(u.Logical), size(u.Deduplicated()), u.Repositories, u.Manifests, u.Untagged, "  "+u.Name)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	row("EXCLUSIVE", "SHARED", "LOGICAL", "TAGS", "MANIFESTS", "UNTAGGED", "  REPOSITORY")
	for _, u := range f.first(r.Repositories) {
		row(size(u.Exclusive), size(u.Shared()), size(u.Logical), u.Tags, u.Manifests, u.Untagged, "  "+u.Name)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	f.printTotals(out, r)
	return nil
}

func (f usageFlags) printTotals(out io.Writer, r usage.Report) {
	all, total, n, u := r.All(), r.Total(), r.Reclaimable, r.Uploads
	line := func(name, format string, args ...any) {
		fmt.Fprintf(out, "%-13s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintln(out)
	line("stored", "%s in %d objects; of blobs %s in %d", size(total.Bytes), total.Objects, size(r.Blobs.Bytes), r.Blobs.Objects)
	line("logical", "%s: what %d repositories of %d teams have, added up", size(all.Logical), all.Repositories, len(r.Teams))
	line("deduplicated", "%s: logical, minus what of it is stored", size(all.Deduplicated()))
	line("untagged", "%d of %d manifests; they alone reach %s in %d blobs", all.Untagged, all.Manifests, size(r.Untagged.Only.Bytes), r.Untagged.Only.Objects)
	line("reclaimable", "%s in %d blobs that no manifest names; %s in %d more are younger than %v", size(n.Old.Bytes), n.Old.Objects, size(n.Young.Bytes), n.Young.Objects, f.olderThan)
	line("uploads", "%d of %d are abandoned: %s of %s", u.Abandoned, u.All, size(u.Reclaimable.Bytes), size(u.Stored.Bytes))
	for _, s := range r.Noncurrent {
		line("versions", "noncurrent ones are not counted: %s is %s", s.Name, s.Value)
	}
	if r.MalformedManifests+r.MalformedLinks > 0 {
		line("malformed", "%d manifests, %d links; nothing that their repositories have links to counts as reclaimable", r.MalformedManifests, r.MalformedLinks)
	}
}

// column is a column of a CSV, and a name of a JSON object.
type column struct {
	name string
	of   func(usage.Usage) int64
}

var usageColumns = []column{
	{"repositories", func(u usage.Usage) int64 { return u.Repositories }},
	{"tags", func(u usage.Usage) int64 { return u.Tags }},
	{"manifests", func(u usage.Usage) int64 { return u.Manifests }},
	{"untagged", func(u usage.Usage) int64 { return u.Untagged }},
	{"blobs", func(u usage.Usage) int64 { return u.Blobs }},
	{"logical_bytes", func(u usage.Usage) int64 { return u.Logical }},
	{"stored_bytes", func(u usage.Usage) int64 { return u.Stored }},
	{"exclusive_bytes", func(u usage.Usage) int64 { return u.Exclusive }},
	{"shared_bytes", usage.Usage.Shared},
	{"deduplicated_bytes", usage.Usage.Deduplicated},
}

func (f usageFlags) printCSV(out io.Writer, r usage.Report) error {
	w := csv.NewWriter(out)
	cells := []string{"kind", "name"}
	for _, c := range usageColumns {
		cells = append(cells, c.name)
	}
	_ = w.Write(cells) // its error is Error's
	f.each(r, func(kind string, u usage.Usage) {
		cells := []string{kind, u.Name}
		for _, c := range usageColumns {
			cells = append(cells, strconv.FormatInt(c.of(u), 10))
		}
		_ = w.Write(cells)
	})
	w.Flush()
	return w.Error()
}

// each calls do for what is printed of the teams and repositories.
func (f usageFlags) each(r usage.Report, do func(kind string, u usage.Usage)) {
	for _, u := range f.first(r.Teams) {
		do("team", u)
	}
	for _, u := range f.first(r.Repositories) {
		do("repository", u)
	}
}

func (f usageFlags) printUsageJSON(out io.Writer, r usage.Report) {
	object := func(kind string, u usage.Usage) map[string]any {
		v := map[string]any{"kind": kind}
		for _, c := range usageColumns {
			v[c.name] = c.of(u)
		}
		return v
	}
	f.each(r, func(kind string, u usage.Usage) {
		v := object(kind, u)
		v["name"] = u.Name
		printJSON(out, v)
	})
	v := object("summary", r.All())
	delete(v, "exclusive_bytes") // is said of one beside others
	delete(v, "shared_bytes")
	v["teams"] = len(r.Teams)
	for name, c := range map[string]usage.Count{
		"total": r.Total(), "all_blobs": r.Blobs, "links": r.Links, "others": r.Others, "orphans": r.Orphans,
		"untagged_only": r.Untagged.Only, "reclaimable": r.Reclaimable.Old, "reclaimable_young": r.Reclaimable.Young,
		"upload_objects": r.Uploads.Stored, "upload_objects_abandoned": r.Uploads.Reclaimable,
	} {
		v[name], v[name+"_bytes"] = c.Objects, c.Bytes
	}
	v["uploads"], v["uploads_abandoned"] = r.Uploads.All, r.Uploads.Abandoned
	v["malformed_manifests"], v["malformed_links"] = r.MalformedManifests, r.MalformedLinks
	noncurrent := make(map[string]string) // not counted
	for _, s := range r.Noncurrent {
		noncurrent[s.Name] = s.Value
	}
	v["noncurrent"] = noncurrent
	printJSON(out, v)
}
