// Command blobdock-image copies images between registries, files and the buckets of blobdock,
// without a registry for these.
//
//	blobdock-image copy SRC DST            an image, or a list of images
//	blobdock-image inspect IMAGE           what an image is, as JSON
//	blobdock-image list bucket:URL[#NAME]  the images in a bucket
//	blobdock-image delete IMAGE            a tag, or a manifest by its digest
//
// Images are named as skopeo names them: docker://HOST/NAME:TAG, oci:DIR:NAME, dir:DIR,
// docker-archive:FILE, oci-archive:FILE; and bucket:URL#NAME:TAG, with a URL of s3://, gs://,
// azblob:// or file://.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
	_ "go.podman.io/image/v5/directory"      // dir:
	_ "go.podman.io/image/v5/docker"         // docker://
	_ "go.podman.io/image/v5/docker/archive" // docker-archive:
	_ "go.podman.io/image/v5/oci/archive"    // oci-archive:
	_ "go.podman.io/image/v5/oci/layout"     // oci:
	"go.podman.io/image/v5/transports"
	"go.podman.io/image/v5/types"

	_ "github.com/blobdock/blobdock/azure"
	_ "github.com/blobdock/blobdock/driver/file"
	_ "github.com/blobdock/blobdock/gcs"
	_ "github.com/blobdock/blobdock/s3"
	"github.com/blobdock/blobdock/transport"
)

func main() {
	log := redacting{os.Stderr}
	logrus.SetOutput(log) // containers/image's
	logrus.SetLevel(logrus.WarnLevel)
	slog.SetDefault(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // asked once more, it ends at once
	if err := rootCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "blobdock-image:", redact(err.Error()))
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}

// version is set by the linker for releases.
var version = ""

func rootCommand() *cobra.Command {
	if info, ok := debug.ReadBuildInfo(); ok && version == "" {
		version = info.Main.Version
	}
	root := &cobra.Command{
		Use:           "blobdock-image",
		Short:         "Copy images between registries, files and buckets",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(copyCommand(), inspectCommand(), listCommand(), deleteCommand())
	return root
}

// parse parses the name of an image.
func parse(image string) (types.ImageReference, error) {
	name, within, ok := strings.Cut(image, ":")
	known := transports.Get(name)
	if !ok || known == nil {
		return nil, fmt.Errorf("image %s: want docker://, oci:, dir:, docker-archive:, oci-archive: or bucket: before it", redact(image))
	}
	ref, err := known.ParseReference(within)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", redact(image), err)
	}
	return ref, nil
}

// imageName is a reference as people read it.
func imageName(ref types.ImageReference) string {
	if b, ok := ref.(transport.Reference); ok {
		return b.String()
	}
	return redact(transports.ImageName(ref))
}

var errInterrupted = errors.New("interrupted; run it again to go on")
