package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/gc"
	"github.com/blobdock/blobdock/internal/friend"
	blobdock "github.com/blobdock/blobdock/registry"
	"github.com/blobdock/blobdock/retention"
)

type gcFlags struct {
	olderThan, quarantine time.Duration
	untagged, orphaned    string
	retention             string
	limit                 int
	offline, dryRun, json bool
	price                 float64
}

const gcLong = `
What is unused and older than --older-than is condemned, and deleted an hour later (collection_wait)
if it is unused still. Clients may push and pull meanwhile. All registries on the bucket must be
blobdock, of this version or a later one, and not distribution's own. With --offline clients are not
waited for, and nothing is too young: no registry may be running that takes pushes.

Signatures and other referrers stay as long as their subject does, and when it was deleted by itself
until --orphaned-referrers delete.`

func gcCommand() *cobra.Command {
	var f gcFlags
	cmd := &cobra.Command{
		Use:   "gc URL",
		Short: "Remove blobs that no manifest refers to",
		Long:  "Remove blobs and links that no manifest refers to, and on demand manifests without a tag.\n" + gcLong,
		Example: `  blobdock gc --dry-run 's3://my-bucket/registry?region=eu-west-1'
  blobdock gc --untagged delete gs://my-bucket/registry
  blobdock gc --offline --json file:///var/lib/registry
  blobdock gc restore gs://my-bucket/registry`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := storeConfig(args[0])
			if err != nil {
				return err
			}
			return collectGarbage(cmd, c, f)
		},
	}
	cmd.AddCommand(restoreCommand())
	f.add(cmd)
	cmd.Flags().BoolVarP(&f.dryRun, "dry-run", "d", false, "only say what would be removed")
	cmd.Flags().StringVar(&f.untagged, "untagged", "keep", "keep or delete manifests that no tag, no index and no subject reaches")
	return cmd
}

// garbageCollectCommand is gc for a configuration file, with distribution's flags.
func garbageCollectCommand() *cobra.Command {
	f := gcFlags{untagged: "keep"}
	var untagged, quiet bool
	cmd := &cobra.Command{
		Use:   "garbage-collect CONFIG",
		Short: "Remove blobs that no manifest refers to, from the storage of a configuration",
		Long: "Remove blobs and links that no manifest refers to, and on demand manifests without a tag, from the\n" +
			"storage of a registry's configuration.\n" + gcLong,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, _, err := read(args)
			if err != nil {
				return err
			}
			if config.Storage.Type() != blobdock.Name {
				return fmt.Errorf("storage driver %s: want blobdock, others have registry garbage-collect", config.Storage.Type())
			}
			c, err := blobdock.ParseConfig(config.Storage.Parameters())
			if err != nil {
				return err
			}
			if untagged {
				f.untagged = "delete"
			}
			if quiet {
				cmd.SetOut(io.Discard)
			}
			return collectGarbage(cmd, c, f)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVarP(&f.dryRun, "dry-run", "d", false, "only say what would be removed")
	cmd.Flags().BoolVarP(&untagged, "delete-untagged", "m", false, "delete manifests that no tag, no index and no subject reaches")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print nothing")
	return cmd
}

func (f *gcFlags) add(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&f.olderThan, "older-than", 24*time.Hour, "what is younger may belong to a push under way, and stays")
	cmd.Flags().BoolVar(&f.offline, "offline", false, "nobody pushes: take what is young, and wait for nothing")
	cmd.Flags().DurationVar(&f.quarantine, "quarantine", 0, "keep what is removed below _quarantine/ for so long, for gc restore; 0s keeps nothing")
	cmd.Flags().StringVar(&f.retention, "retention", "", "a `file` with a policy, by which tags go before (docs/retention.md)")
	cmd.Flags().Float64Var(&f.price, "price", 0, "`dollars` that a GB costs a month, to tell what is saved")
	cmd.Flags().StringVar(&f.orphaned, "orphaned-referrers", "keep", "keep or delete signatures and other referrers whose subject is missing")
	cmd.Flags().IntVar(&f.limit, "limit", 10_000, "how many objects one run removes at most")
	cmd.Flags().BoolVar(&f.json, "json", false, "print a JSON object a line; the last is the summary")
}

func (f gcFlags) options() (o gc.Options, err error) {
	switch {
	case f.untagged != "keep" && f.untagged != "delete":
		return o, fmt.Errorf("--untagged %q: want keep or delete", f.untagged)
	case f.orphaned != "keep" && f.orphaned != "delete":
		return o, fmt.Errorf("--orphaned-referrers %q: want keep or delete", f.orphaned)
	case f.olderThan <= 0:
		return o, fmt.Errorf("--older-than %v: want more than 0s; --offline takes what is young", f.olderThan)
	case f.price < 0:
		return o, fmt.Errorf("--price %v: want 0 or more", f.price)
	case f.quarantine < 0:
		return o, fmt.Errorf("--quarantine %v: want 0s or more", f.quarantine)
	case f.limit < 1:
		return o, fmt.Errorf("--limit %d: want 1 or more", f.limit)
	}
	return gc.Options{OlderThan: f.olderThan, Offline: f.offline, Untagged: f.untagged == "delete", OrphanedReferrers: f.orphaned == "delete", DryRun: f.dryRun, Limit: f.limit, Quarantine: f.quarantine}, nil
}

// retain deletes tags by the policy.
func (f gcFlags) retain(ctx context.Context, store *blobstore.Store, out io.Writer) error {
	text, err := os.ReadFile(f.retention)
	if err != nil {
		return err
	}
	p, err := retention.Parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", f.retention, err)
	}
	o := retention.Options{Root: friend.Of(store).Layout().Root, DryRun: f.dryRun}
	o.OnTag = func(repo string, t retention.Tag) {
		if f.json {
			printJSON(out, map[string]any{"kind": "tag", "repository": repo, "tag": t.Name, "pushed": t.Pushed.UTC()})
			return
		}
		fmt.Fprintf(out, "%-8s %s:%s  pushed %s\n", "tag", repo, t.Name, t.Pushed.UTC().Format(time.RFC3339))
	}
	o.OnSpared = func(repo string) {
		if f.json {
			printJSON(out, map[string]any{"kind": "spared", "repository": repo})
			return
		}
		fmt.Fprintf(out, "%-8s %s  no tag would be left, so that all stay; empty: true in the rule lets them go\n", "spared", repo)
	}
	s, err := retention.Run(ctx, store.Bucket(), p, o)
	if f.json {
		printJSON(out, struct {
			Kind string `json:"kind"`
			retention.Summary
			DryRun bool `json:"dryrun"`
		}{"retention", s, f.dryRun})
	} else {
		what := "deleted"
		if f.dryRun {
			what = "would be deleted"
		}
		fmt.Fprintf(out, "%d of %d tags in %d repositories %s by the policy\n", s.Deleted, s.Tags, s.Repositories, what)
		if s.Moved > 0 {
			fmt.Fprintf(out, "%d more were pushed again meanwhile, and stay\n", s.Moved)
		}
		if s.Note != "" {
			fmt.Fprintln(out, s.Note)
		}
	}
	return err
}

func collectGarbage(cmd *cobra.Command, c blobdock.Config, f gcFlags) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	ctx, stop := interruptible(cmd.Context())
	defer stop()
	store, err := openAdaptedConfig(ctx, c)
	if err != nil {
		return err
	}
	defer store.Close()
	if wait := friend.Of(store).Watch().Wait(); !f.offline && f.olderThan < wait { // before any tag goes
		return fmt.Errorf("--older-than %v: want the wait (collection_wait), %v, or more; --offline takes what is young", f.olderThan, wait)
	}
	if f.retention != "" {
		if err := f.retain(ctx, store, cmd.OutOrStdout()); err != nil {
			return fmt.Errorf("retention in %s: %w", redact(c.URL), err)
		}
	}
	return runGC(ctx, store, cmd.OutOrStdout(), cmd.ErrOrStderr(), o, f, redact(c.URL))
}

// saved is what blobs of so many bytes cost a month.
func (f gcFlags) saved(bytes int64) string {
	if f.price == 0 {
		return ""
	}
	return fmt.Sprintf(", $%.2f a month at $%v a GB", f.price*float64(bytes)/1e9, f.price)
}

func runGC(ctx context.Context, store *blobstore.Store, out, progress io.Writer, o gc.Options, f gcFlags, storage string) error {
	o.Root, o.Wait = friend.Of(store).Layout().Root, friend.Of(store).Watch().Wait()
	o.Log = friend.Of(store).Log()
	p := &gcBar{out: progress}
	o.Progress = p.at
	o.OnFault = func(key, detail string) {
		p.bar.clear()
		if f.json {
			printJSON(out, map[string]any{"kind": "fault", "key": key, "detail": detail})
			return
		}
		fmt.Fprintf(out, "%-8s %s  %s: kept, with all that it may refer to\n", "fault", key, detail)
	}
	o.OnObject = func(it gc.Object) {
		if it.Fate == gc.Unused && !o.DryRun {
			return // it is told when that is decided
		}
		p.bar.clear()
		if f.json {
			printJSON(out, map[string]any{"kind": it.Fate, "key": it.Key, "size": it.Size, "modified": it.ModTime.UTC()})
			return
		}
		fmt.Fprintf(out, "%-8s %s  %s\n", it.Fate, it.Key, driver.FormatBytes(it.Size))
	}
	began := time.Now()
	s, err := gc.Run(ctx, store.Bucket(), o)
	p.bar.close()
	switch {
	case f.json:
		printJSON(out, struct {
			Kind string `json:"kind"`
			gc.Summary
			Complete bool `json:"complete"`
			DryRun   bool `json:"dryrun"`
		}{"summary", s, err == nil, o.DryRun})
	case o.DryRun:
		fmt.Fprintf(out, "%d repositories with %d manifests, %d blobs of %s; %d objects with %s would be removed%s (%s)\n", s.Repositories, s.Manifests,
			s.Blobs, driver.FormatBytes(s.BlobBytes), s.Unused, driver.FormatBytes(s.UnusedBytes), f.saved(s.UnusedBytes), time.Since(began).Round(time.Millisecond))
	default:
		fmt.Fprintf(out, "%d repositories with %d manifests, %d blobs of %s; %d objects with %s removed%s, %d in use again (%s)\n", s.Repositories, s.Manifests,
			s.Blobs, driver.FormatBytes(s.BlobBytes), s.Deleted, driver.FormatBytes(s.DeletedBytes), f.saved(s.DeletedBytes), s.Rescued, time.Since(began).Round(time.Millisecond))
	}
	if s.Left > 0 && !f.json {
		fmt.Fprintf(out, "%d more objects are unused: the next run removes them, or one with a higher --limit\n", s.Left)
	}
	switch {
	case errors.Is(err, gc.ErrStore):
		return fmt.Errorf("garbage collection of %s: %w; blobdock probe tells what it lacks", storage, err)
	case err != nil:
		return fmt.Errorf("garbage collection of %s: %w; the next run goes on from here", storage, err)
	}
	return nil
}

// gcBar shows the phases of a run one after the other.
type gcBar struct {
	out   io.Writer
	phase gc.Phase
	bar   *bar
}

func (p *gcBar) at(phase gc.Phase, done, total int64) {
	if phase != p.phase {
		p.bar.close()
		p.phase, p.bar = phase, newBar(p.out, string(phase), false)
	}
	if phase == gc.Waiting { // in seconds
		done, total = done/int64(time.Second), total/int64(time.Second)
	}
	p.bar.at(done, total)
}
