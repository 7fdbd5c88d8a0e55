package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/blobdock/blobdock/check"
)

type checkFlags struct {
	repositories, ignore, repair []string
	olderThan                    time.Duration
	concurrency                  int
	digest, notices, json        bool
	state                        string
}

// everything is the value of --repair that is given none.
const everything = "all"

func checkCommand() *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use:   "check URL",
		Short: "Tell what is damaged in a registry's bucket, and repair it",
		Long: `Tell what is damaged in a registry's bucket: links, manifests, tags, and whatever
manifests refer to; with --digest the content of every blob, too. The registry may run
meanwhile, and collect garbage.

Nothing is written without --repair, which writes links that can be derived with
certainty, and deletes nothing. All repairs are listed.

Exits with 0 when nothing is damaged or all of it was repaired, and with 1 when damage
remains or the store could not be read.

Damage; what is marked with * can be repaired, if what it needs is there:

` + table(true) + `
Notices, which break no pull:

` + table(false),
		Example: `  blobdock check 's3://my-bucket/registry?region=eu-west-1'
  blobdock check --repair gs://my-bucket/registry
  blobdock check --repair=tag-unlinked,tag-unindexed --repository team/app gs://my-bucket/registry
  blobdock check --digest --state check.json 'azblob://my-container/registry?account=a'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return runCheck(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr(), args[0], f)
		},
	}
	fl := cmd.Flags()
	fl.BoolVar(&f.digest, "digest", false, "read every blob that a repository has, and compare its digest")
	fl.StringSliceVar(&f.repair, "repair", nil, "repair what can be repaired, or only the `kinds` in --repair=KIND,...")
	fl.Lookup("repair").NoOptDefVal = everything
	fl.StringSliceVar(&f.ignore, "ignore", nil, "`kinds` that are neither told nor repaired")
	fl.StringArrayVar(&f.repositories, "repository", nil, "a repository `name`, to look at no others; may be repeated")
	fl.DurationVar(&f.olderThan, "older-than", time.Hour, "what is younger may belong to a push under way, and is not judged")
	fl.IntVar(&f.concurrency, "concurrency", 16, "how many requests are made at the same time")
	fl.StringVar(&f.state, "state", "", "a `file` that keeps how far --digest has got, for a run that goes on there")
	fl.BoolVar(&f.notices, "notices", false, "list notices, too, instead of only counting them")
	fl.BoolVar(&f.json, "json", false, "print a JSON object a line; the last has the kind summary")
	return cmd
}

// table describes the kinds of damage, or of notices.
func table(damage bool) string {
	var text strings.Builder
	for _, k := range check.Kinds() {
		if k.Damage() != damage {
			continue
		}
		mark := " "
		if slices.Contains(check.Repairable(), k) {
			mark = "*"
		}
		fmt.Fprintf(&text, "  %-18s %s %s\n", k, mark, k.About())
	}
	return text.String()
}

// maxReads keeps memory for what is being read below 128 MiB.
const maxReads = 256

func (f checkFlags) options() (o check.Options, err error) {
	switch {
	case f.olderThan < 0:
		return o, fmt.Errorf("--older-than %v: want 0s or more", f.olderThan)
	case f.concurrency < 1 || f.concurrency > maxReads:
		return o, fmt.Errorf("--concurrency %d: want 1 to %d", f.concurrency, maxReads)
	case f.state != "" && !f.digest:
		return o, fmt.Errorf("--state %s: is for --digest, all else is not kept", f.state)
	}
	o = check.Options{Repositories: f.repositories, OlderThan: max(f.olderThan, 1), Concurrency: f.concurrency, Digest: f.digest}
	if o.Ignore, err = kindsOf("--ignore", f.ignore, check.Kinds()); err != nil {
		return o, err
	}
	if slices.Equal(f.repair, []string{everything}) {
		o.Repair = check.Repairable()
		return o, nil
	}
	o.Repair, err = kindsOf("--repair", f.repair, check.Repairable())
	return o, err
}

func kindsOf(flag string, names []string, allowed []check.Kind) ([]check.Kind, error) {
	var kinds []check.Kind
	for _, name := range names {
		if !slices.Contains(allowed, check.Kind(name)) {
			return nil, fmt.Errorf("%s %q: want one of %v", flag, name, allowed)
		}
		kinds = append(kinds, check.Kind(name))
	}
	return kinds, nil
}

func runCheck(ctx context.Context, out, progress io.Writer, storage string, f checkFlags) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	open := openStore
	if len(o.Repair) > 0 {
		open = openAdapted
	}
	store, err := open(ctx, storage)
	if err != nil {
		return err
	}
	defer store.Close()
	file := stateFile{path: f.state, registry: identity(storage), repositories: f.repositories}
	if o.Resume, err = file.load(); err != nil {
		return fmt.Errorf("--state %s: %w", f.state, err)
	}
	o.Save = file.save
	p := &phaseBar{out: progress}
	o.Progress = func(now check.Progress) { p.at(string(now.Phase), now.Phase == check.Digests, now.Done, now.Total) }
	o.OnFinding = func(found check.Finding) {
		if f.notices || found.Kind.Damage() {
			p.clear()
			f.print(out, found)
		}
	}
	began := time.Now()
	summary, err := check.Run(ctx, store.Bucket(), o)
	p.bar.close()
	if f.json {
		printJSON(out, checkedJSON(summary, err == nil))
	} else {
		printChecked(out, summary, o.OlderThan, time.Since(began), err == nil)
	}
	if err != nil && f.state != "" {
		err = fmt.Errorf("%w; the same command goes on where --state %s has it", err, f.state)
	}
	switch {
	case errors.Is(err, check.ErrNoRegistry):
		hint := olderLayout(ctx, storage)
		if hint == "" {
			hint = "is the prefix in the URL right?"
		}
		return fmt.Errorf("check %s: %w: %s", redact(storage), err, hint)
	case err != nil:
		return fmt.Errorf("check %s: %w", redact(storage), err)
	}
	if hint := olderLayout(ctx, storage); hint != "" {
		fmt.Fprintln(progress, "notice:", hint)
	}
	if err := file.remove(); err != nil {
		return fmt.Errorf("--state %s: %w", f.state, err)
	}
	if left := summary.Damaged - summary.Repaired; left > 0 {
		return fmt.Errorf("check %s: %d of %d damaged remain", redact(storage), left, summary.Damaged)
	}
	return nil
}

func (f checkFlags) print(out io.Writer, found check.Finding) {
	if f.json {
		printJSON(out, findingJSON(found))
		return
	}
	text := fmt.Sprintf("%-18s %s", found.Kind, found.Key)
	if found.Manifest != "" {
		text += fmt.Sprintf("\n%19sof the manifest %s", "", found.Manifest)
	}
	if found.Repository != "" {
		text += fmt.Sprintf("\n%19sin %s", "", found.Repository)
		if len(found.Tags) > 0 {
			text += ":" + strings.Join(found.Tags, ", :")
		}
	}
	if found.Detail != "" {
		text += fmt.Sprintf("\n%19s%s", "", found.Detail)
	}
	switch {
	case found.Repaired:
		text += fmt.Sprintf("\n%19srepaired: wrote %s", "", found.Repair)
	case found.Repair != "":
		text += fmt.Sprintf("\n%19s--repair writes %s", "", found.Repair)
	}
	fmt.Fprintln(out, text)
}

func findingJSON(f check.Finding) map[string]any {
	v := map[string]any{"kind": f.Kind, "damage": f.Kind.Damage(), "key": f.Key, "repairable": f.Repair != "", "repaired": f.Repaired}
	for name, text := range map[string]string{
		"repository": f.Repository, "digest": f.Digest.String(), "manifest": f.Manifest.String(), "detail": f.Detail, "repair": f.Repair,
	} {
		if text != "" {
			v[name] = text
		}
	}
	if len(f.Tags) > 0 {
		v["tags"] = f.Tags
	}
	return v
}

func printChecked(out io.Writer, s check.Summary, olderThan, took time.Duration, complete bool) {
	fmt.Fprintf(out, "%d blobs (%s), %d repositories, %d links, %d manifests", s.Blobs, size(s.BlobBytes), s.Repositories, s.Links, s.Manifests)
	if s.Compared > 0 {
		fmt.Fprintf(out, ", %d blobs compared (%s)", s.Compared, size(s.ComparedBytes))
	}
	fmt.Fprintf(out, " (%s)\n", took.Round(time.Millisecond))
	if s.Young+s.YoungBlobs > 0 {
		fmt.Fprintf(out, "not judged: %d links and %d blobs that are younger than %v (--older-than) and may belong to a push under way\n", s.Young, s.YoungBlobs, olderThan)
	}
	for _, k := range check.Kinds() {
		n := s.Found[k]
		if n == 0 {
			continue
		}
		text := k.About()
		if k == check.BlobOrphan {
			text += "; " + size(s.OrphanBytes)
		}
		fmt.Fprintf(out, "%-18s %8d  %s\n", k, n, text)
	}
	ending := ""
	if !complete {
		ending = ", as far as it got"
	}
	fmt.Fprintf(out, "%d damaged, %d repaired%s\n", s.Damaged, s.Repaired, ending)
}

func checkedJSON(s check.Summary, complete bool) map[string]any {
	return map[string]any{
		"kind": "summary", "complete": complete, "blobs": s.Blobs, "blob_bytes": s.BlobBytes, "repositories": s.Repositories,
		"links": s.Links, "young": s.Young, "young_blobs": s.YoungBlobs, "manifests": s.Manifests, "compared": s.Compared, "compared_bytes": s.ComparedBytes,
		"orphans": s.Orphans, "orphan_bytes": s.OrphanBytes, "found": s.Found,
		"damage_found": s.Damaged, "damage_repaired": s.Repaired,
	}
}
