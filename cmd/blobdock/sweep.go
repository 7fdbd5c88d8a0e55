package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/probe"
	blobdock "github.com/blobdock/blobdock/registry"
)

type sweepFlags struct {
	olderThan    time.Duration
	dryRun, json bool
}

func sweepCommand() *cobra.Command {
	var f sweepFlags
	cmd := &cobra.Command{
		Use:   "sweep URL",
		Short: "Remove abandoned uploads",
		Long: `Remove abandoned uploads, upload folders that earlier versions and distribution's own
drivers left, and multipart uploads that nobody has completed. Blobs are not touched.

A running registry does the same by itself, with the settings of uploadpurging.`,
		Example: `  blobdock sweep --dry-run 's3://my-bucket/registry?region=eu-west-1'
  blobdock sweep --older-than 72h gs://my-bucket/registry`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sweep(cmd.Context(), cmd.OutOrStdout(), args[0], f)
		},
	}
	cmd.Flags().DurationVar(&f.olderThan, "older-than", blobstore.DefaultSweepAge, "how long an upload must not have been touched")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "only say what would be removed")
	cmd.Flags().BoolVar(&f.json, "json", false, "print a JSON object a line")
	return cmd
}

// minAge keeps a mistyped --older-than from taking uploads that are under way.
const minAge = time.Minute

func sweep(ctx context.Context, out io.Writer, storage string, f sweepFlags) error {
	if f.olderThan < minAge {
		return fmt.Errorf("--older-than %v: want %v or more", f.olderThan, minAge)
	}
	store, err := openStore(ctx, storage)
	if err != nil {
		return err
	}
	defer store.Close()
	began := time.Now()
	result, err := store.Sweep(ctx, blobstore.SweepOptions{OlderThan: f.olderThan, DryRun: f.dryRun, OnOrphan: func(o blobstore.Orphan) {
		if f.json {
			printJSON(out, map[string]any{"kind": o.Kind, "key": o.Key, "upload": o.ID, "touched": o.Touched.UTC()})
			return
		}
		fmt.Fprintf(out, "%-8s %s  last touched %s\n", o.Kind, o.Key, o.Touched.UTC().Format(time.RFC3339))
	}})
	what := "removed"
	if f.dryRun {
		what = "would be removed"
	}
	if f.json {
		printJSON(out, map[string]any{"uploads": result.Uploads, "folders": result.Folders, "parts": result.Parts, "dryrun": f.dryRun})
	} else {
		fmt.Fprintf(out, "%d uploads, %d older upload folders and %d multipart uploads %s (%s)\n",
			result.Uploads, result.Folders, result.Parts, what, time.Since(began).Round(time.Millisecond))
	}
	if err != nil {
		return fmt.Errorf("sweep %s: %w", redact(storage), err)
	}
	return nil
}

// openStore opens the store at a storage URL, which may have the engine's own parameters.
// A directory must be there, as a bucket must, unless the URL says create=yes: a mistyped
// name is not an empty store.
func openStore(ctx context.Context, storage string) (*blobstore.Store, error) {
	c, err := storeConfig(storage)
	if err != nil {
		return nil, err
	}
	return openRecognised(ctx, c)
}

// openAdapted is openStore for conditional writes: none is asked of the store that it does
// not honour, as serve has it.
func openAdapted(ctx context.Context, storage string) (*blobstore.Store, error) {
	c, err := storeConfig(storage)
	if err != nil {
		return nil, err
	}
	return openAdaptedConfig(ctx, c)
}

func openAdaptedConfig(ctx context.Context, c blobdock.Config) (*blobstore.Store, error) {
	found, err := probe.Adapt(ctx, opener(c))
	if err != nil {
		slog.DebugContext(ctx, "not all is known of the store", "storage", redact(c.URL), "cause", err)
	}
	return c.WithOverrides(found.Options).Open(ctx)
}

func storeConfig(storage string) (blobdock.Config, error) {
	section := map[string]any{"url": storage}
	if u, err := driver.ParseURL(storage); err == nil && u.Scheme == "file" && !u.Query().Has("create") {
		section["create"] = false
	}
	return blobdock.ParseConfig(section)
}

// openRecognised opens a store with the profile that its replies tell, where nothing else
// does. Requests that fail for another reason than the profile tell that themselves.
func openRecognised(ctx context.Context, c blobdock.Config) (*blobstore.Store, error) {
	b, _, err := probe.Open(ctx, opener(c))
	if s, ok := b.(storeBucket); ok {
		return s.store, nil
	}
	return nil, err
}

func printJSON(out io.Writer, v any) { _ = json.NewEncoder(out).Encode(v) }
