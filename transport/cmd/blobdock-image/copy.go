package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"
	imagecopy "go.podman.io/image/v5/copy"
	"go.podman.io/image/v5/manifest"
)

type copyFlags struct {
	src, dst         site
	policy           policyFlags
	retry            retries
	all              bool
	preserveDigests  bool
	removeSignatures bool
	quiet            bool
	format           string
	digestFile       string
	parallel         uint
}

func copyCommand() *cobra.Command {
	var f copyFlags
	cmd := &cobra.Command{
		Use:   "copy SRC DST",
		Short: "Copy an image",
		Long: `Copy an image from one place to another, and with --all a list of images with all of them.

To a bucket: what it has already in any repository is linked, and not sent. The tag shows last,
when all that the image needs is there. Interrupted, it can be run again.`,
		Example: `  blobdock-image copy docker://docker.io/library/alpine:3 'bucket:s3://my-bucket/registry?region=eu-west-1#library/alpine:3'
  blobdock-image copy --all --preserve-digests docker://quay.io/team/app:v1 bucket:gs://my-bucket/registry#team/app:v1
  blobdock-image copy bucket:file:///srv/registry#team/app:v1 docker-archive:app.tar:team/app:v1`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0], args[1]) },
	}
	f.src.register(cmd, "src-", "SRC's registry")
	f.dst.register(cmd, "dest-", "DST's registry")
	authfileFlag(cmd, &f.src, &f.dst)
	f.src.platform(cmd)
	f.policy.register(cmd)
	f.retry.register(cmd)
	fl := cmd.Flags()
	fl.BoolVarP(&f.all, "all", "a", false, "copy all images of a list, and the list; else the one for this machine")
	fl.BoolVar(&f.preserveDigests, "preserve-digests", false, "fail where DST can't have the image with its digest")
	fl.BoolVar(&f.removeSignatures, "remove-signatures", false, "copy the image without its signatures")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "print nothing but errors")
	fl.StringVarP(&f.format, "format", "f", "", "`type` of the manifest in DST: oci or v2s2; SRC's, if DST takes it")
	fl.StringVar(&f.digestFile, "digestfile", "", "write the digest of the image in DST to this `file`")
	fl.UintVar(&f.parallel, "image-parallel-copies", 0, "`number` of layers copied at the same time; 6")
	return cmd
}

var formats = map[string]string{"": "", "oci": v1.MediaTypeImageManifest, "v2s2": manifest.DockerV2Schema2MediaType}

func (f *copyFlags) run(cmd *cobra.Command, from, to string) error {
	src, err := parse(from)
	if err != nil {
		return fmt.Errorf("SRC: %w", err)
	}
	dst, err := parse(to)
	if err != nil {
		return fmt.Errorf("DST: %w", err)
	}
	o := &imagecopy.Options{
		RemoveSignatures: f.removeSignatures, PreserveDigests: f.preserveDigests, MaxParallelDownloads: f.parallel,
	}
	if o.SourceCtx, err = f.src.context(cmd); err != nil {
		return err
	}
	if o.DestinationCtx, err = f.dst.context(cmd); err != nil {
		return err
	}
	var known bool
	if o.ForceManifestMIMEType, known = formats[f.format]; !known {
		return fmt.Errorf("--format %q: want oci or v2s2", f.format)
	}
	if f.all {
		o.ImageListSelection = imagecopy.CopyAllImages
	}
	if !f.quiet {
		o.ReportWriter = cmd.OutOrStdout()
	}
	policy, err := f.policy.open()
	if err != nil {
		return err
	}
	defer func() { _ = policy.Destroy() }()
	var d digest.Digest
	err = f.retry.run(cmd.Context(), f.log(cmd), func(ctx context.Context) error {
		m, err := imagecopy.Image(ctx, policy, dst, src, o)
		if err == nil {
			d, err = manifest.Digest(m)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("copy %s to %s: %w", imageName(src), imageName(dst), err)
	}
	if f.digestFile != "" {
		return os.WriteFile(f.digestFile, []byte(d), 0o644) //nolint:gosec // no secret
	}
	return nil
}

// log is where repetitions are told.
func (f *copyFlags) log(cmd *cobra.Command) io.Writer {
	if f.quiet {
		return io.Discard
	}
	return cmd.ErrOrStderr()
}
