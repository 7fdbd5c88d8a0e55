package main

import (
	"fmt"

	"github.com/distribution/distribution/v3/registry/storage"
	"github.com/distribution/distribution/v3/registry/storage/driver/factory"
	"github.com/spf13/cobra"

	blobdock "github.com/blobdock/blobdock/registry"
)

func collectCommand() *cobra.Command {
	var o storage.GCOpts
	cmd := &cobra.Command{
		Use:   "garbage-collect CONFIG",
		Short: "Remove blobs that no manifest refers to",
		Long: `Remove blobs that no manifest refers to, and on demand manifests without a tag that no other
manifest refers to. Referrers, such as signatures, stay as long as their subject does. Nothing
may be pushed meanwhile: stop the registry, or make it read-only.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, _, err := read(args)
			if err != nil {
				return err
			}
			d, err := factory.Create(cmd.Context(), config.Storage.Type(), config.Storage.Parameters())
			if err != nil {
				return fmt.Errorf("storage driver %s: %w", config.Storage.Type(), err)
			}
			if err := blobdock.Collect(cmd.Context(), d, o); err != nil {
				return fmt.Errorf("garbage collection: %w", err)
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&o.DryRun, "dry-run", "d", false, "do everything except remove the blobs")
	cmd.Flags().BoolVarP(&o.RemoveUntagged, "delete-untagged", "m", false, "delete manifests that no tag and no manifest refers to")
	cmd.Flags().BoolVarP(&o.Quiet, "quiet", "q", false, "print nothing")
	return cmd
}
