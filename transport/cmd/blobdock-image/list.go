package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/blobdock/blobdock/transport"
)

func listCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list bucket:URL[#NAME]",
		Short: "Print the images in a bucket, a line each",
		Long: `Print the images in a bucket, or in one of its repositories, as NAME:TAG, a line each. A
repository without a tag is printed without it.`,
		Example: `  blobdock-image list 'bucket:s3://my-bucket/registry?region=eu-west-1'
  blobdock-image list bucket:gs://my-bucket/registry#team/app`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			where, ok := strings.CutPrefix(args[0], transport.Name+":")
			if !ok {
				return fmt.Errorf("%s: want bucket: before it; the images of registries can't be listed", redact(args[0]))
			}
			for image, err := range transport.Images(cmd.Context(), where) {
				switch {
				case cmd.Context().Err() != nil:
					return errInterrupted
				case err != nil:
					return err
				}
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), image); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
