package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
	"go.podman.io/image/v5/image"
	"go.podman.io/image/v5/manifest"
	"go.podman.io/image/v5/types"
)

type inspectFlags struct {
	site
	retry       retries
	raw, config bool
}

func inspectCommand() *cobra.Command {
	var f inspectFlags
	cmd := &cobra.Command{
		Use:   "inspect IMAGE",
		Short: "Print what an image is, as JSON",
		Long: `Print what an image is, as JSON: its digest, what its configuration tells, its layers. Of
a list of images that is the one for this machine; the digest is the list's.`,
		Example: `  blobdock-image inspect bucket:gs://my-bucket/registry#team/app:v1
  blobdock-image inspect --raw docker://docker.io/library/alpine:3`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			sys, err := f.context(cmd)
			if err != nil {
				return err
			}
			if f.raw && f.config {
				return errors.New("--raw and --config exclude each other")
			}
			ref, err := parse(args[0])
			if err != nil {
				return err
			}
			return f.retry.run(cmd.Context(), cmd.ErrOrStderr(), func(ctx context.Context) error {
				return f.run(ctx, cmd.OutOrStdout(), ref, sys)
			})
		},
	}
	f.register(cmd, "", "the registry")
	authfileFlag(cmd, &f.site)
	f.platform(cmd)
	f.retry.register(cmd)
	cmd.Flags().BoolVar(&f.raw, "raw", false, "print the manifest, or the list, as it is stored")
	cmd.Flags().BoolVar(&f.config, "config", false, "print the configuration as it is stored")
	return cmd
}

// inspected is what is printed, under skopeo's names.
type inspected struct {
	Name         string
	Digest       digest.Digest
	MediaType    string
	Created      *time.Time `json:",omitempty"`
	Architecture string
	Os           string
	Labels       map[string]string `json:",omitempty"`
	Env          []string          `json:",omitempty"`
	LayersData   []types.ImageInspectLayer
}

func (f *inspectFlags) run(ctx context.Context, out io.Writer, ref types.ImageReference, sys *types.SystemContext) (err error) {
	src, err := ref.NewImageSource(ctx, sys)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	top := image.UnparsedInstance(src, nil)
	raw, mediaType, err := top.Manifest(ctx)
	if err != nil {
		return err
	}
	if f.raw {
		_, err = out.Write(raw)
		return err
	}
	img, err := image.FromUnparsedImage(ctx, sys, top)
	if err != nil {
		return err
	}
	if f.config {
		config, err := img.ConfigBlob(ctx)
		if err != nil {
			return err
		}
		_, err = out.Write(config)
		return err
	}
	info, err := img.Inspect(ctx)
	if err != nil {
		return err
	}
	d, err := manifest.Digest(raw)
	if err != nil {
		return err
	}
	p, err := json.MarshalIndent(inspected{
		Name: imageName(ref), Digest: d, MediaType: mediaType, Created: info.Created, Architecture: info.Architecture, Os: info.Os,
		Labels: info.Labels, Env: info.Env, LayersData: info.LayersData,
	}, "", "    ")
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.MultiReader(bytes.NewReader(p), bytes.NewReader([]byte("\n"))))
	return err
}
