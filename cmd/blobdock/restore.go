package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/gc"
	"github.com/blobdock/blobdock/internal/friend"
)

func restoreCommand() *cobra.Command {
	var (
		repository   string
		dryRun, json bool
	)
	cmd := &cobra.Command{
		Use:   "restore URL",
		Short: "Bring back what gc --quarantine has removed",
		Long: `Bring back what gc --quarantine has removed and nobody has pushed since: blobs, links to them,
and manifests that had no tag. Tags do not come back: push or tag the manifests again, within the
age below which garbage collection leaves everything (24h), or they go again.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			c, err := storeConfig(args[0])
			if err != nil {
				return err
			}
			store, err := openAdaptedConfig(ctx, c)
			if err != nil {
				return err
			}
			defer store.Close()
			out := cmd.OutOrStdout()
			o := gc.RestoreOptions{Root: friend.Of(store).Layout().Root, Wait: friend.Of(store).Watch().Wait(), Repository: repository, DryRun: dryRun}
			o.OnObject = func(it gc.Object) {
				if json {
					printJSON(out, map[string]any{"kind": it.Fate, "key": it.Key, "size": it.Size, "removed": it.ModTime.UTC()})
					return
				}
				fmt.Fprintf(out, "%-8s %s  %s, removed %s\n", it.Fate, it.Key, driver.FormatBytes(it.Size), it.ModTime.UTC().Format(time.RFC3339))
			}
			n, err := gc.Restore(ctx, store.Bucket(), o)
			what := "restored"
			if dryRun {
				what = "would be restored"
			}
			if json {
				printJSON(out, map[string]any{"kind": "summary", "restored": n, "dryrun": dryRun, "complete": err == nil})
			} else {
				fmt.Fprintf(out, "%d objects %s\n", n, what)
			}
			if err != nil {
				return fmt.Errorf("restore in %s: %w", redact(c.URL), err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&repository, "repository", "", "a repository's `name`, to restore its links alone; blobs come back in any case")
	cmd.Flags().BoolVarP(&dryRun, "dry-run", "d", false, "only say what would come back")
	cmd.Flags().BoolVar(&json, "json", false, "print a JSON object a line; the last is the summary")
	return cmd
}
