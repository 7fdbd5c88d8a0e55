package main

import (
	"context"

	"github.com/spf13/cobra"
)

func deleteCommand() *cobra.Command {
	var (
		s     site
		retry retries
	)
	cmd := &cobra.Command{
		Use:   "delete IMAGE",
		Short: "Delete an image",
		Long: `Delete an image. In a bucket a tag is deleted alone; by a digest a manifest, with all tags that
are it. What it takes is freed by blobdock gc. Registries delete the manifest in both cases.`,
		Example: `  blobdock-image delete bucket:gs://my-bucket/registry#team/app:v1`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			sys, err := s.context(cmd)
			if err != nil {
				return err
			}
			ref, err := parse(args[0])
			if err != nil {
				return err
			}
			return retry.run(cmd.Context(), cmd.ErrOrStderr(), func(ctx context.Context) error { return ref.DeleteImage(ctx, sys) })
		},
	}
	s.register(cmd, "", "the registry")
	authfileFlag(cmd, &s)
	retry.register(cmd)
	return cmd
}
