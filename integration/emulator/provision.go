package emulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/moby/moby/client"
)

// Provision makes ready all that tests may start, and reports it line by line
// to w: the programs, and their images when a Docker engine runs.
func Provision(ctx context.Context, w io.Writer) error {
	ways, err := ways()
	if err != nil {
		return err
	}
	for _, svc := range services() {
		var errs []error
		for _, way := range ways {
			errs = append(errs, provisionWay(ctx, w, svc, way))
		}
		// Tests take the first way that works, so one is enough.
		if allFailed(errs) {
			return fmt.Errorf("%s: %w\n%s", svc.title, errors.Join(errs...), advice)
		}
	}
	return nil
}

func services() []service { return []service{minio(), azurite(), fakeGCS()} }

func allFailed(errs []error) bool {
	for _, err := range errs {
		if err == nil {
			return false
		}
	}
	return true
}

func provisionWay(ctx context.Context, w io.Writer, svc service, way string) error {
	began := time.Now()
	what, err := provisionOne(ctx, svc, way)
	if err != nil {
		fmt.Fprintf(w, "%s, %s: %v\n", svc.title, way, err)
		return err
	}
	fmt.Fprintf(w, "%s, %s: %s (%s)\n", svc.title, way, what, time.Since(began).Round(10*time.Millisecond))
	return nil
}

func provisionOne(ctx context.Context, svc service, way string) (what string, err error) {
	if way == Native {
		bin, err := svc.build(ctx, platform{runtime.GOOS, runtime.GOARCH})
		return bin.path, err
	}
	cli, err := engine(ctx)
	if err != nil {
		return "", err
	}
	defer cli.Close()
	pullReaper(ctx, cli)
	chooseReaper(ctx, cli)
	return ensureImage(ctx, cli, svc)
}

// pullReaper asks for Ryuk's image once, here, so that tests needn't reach out
// to an image registry. They do without it where it can't be had.
func pullReaper(ctx context.Context, cli *client.Client) {
	if _, err := cli.ImageInspect(ctx, reaperImage); err == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	pull, err := cli.ImagePull(ctx, reaperImage, client.ImagePullOptions{})
	if err != nil {
		return
	}
	defer pull.Close()
	_ = pull.Wait(ctx)
}
