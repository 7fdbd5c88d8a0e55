package emulator

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// The ways to get a server, as [S3.Way] reports them.
const (
	Environment = "environment"
	Docker      = "docker"
	Native      = "native"
)

// wayVar forces a way when it is set.
const wayVar = "BLOBDOCK_EMULATOR"

// ways lists what to try, best first.
func ways() ([]string, error) {
	switch way := os.Getenv(wayVar); way {
	case "":
		return []string{Docker, Native}, nil
	case Docker, Native:
		return []string{way}, nil
	default:
		return nil, fmt.Errorf("%s=%q: want %s, %s or nothing", wayVar, way, Docker, Native)
	}
}

// launch starts the service the first way that works.
func launch(ctx context.Context, svc service, ways []string) (*server, error) {
	var errs []error
	for _, way := range ways {
		s, err := start(ctx, svc, way)
		if err == nil {
			return s, nil
		}
		err = fmt.Errorf("%s: %w", way, err)
		errs = append(errs, err)
		// An engine that isn't there is nothing to tell; one that fails is.
		if !errors.Is(err, errNoEngine) && len(errs) < len(ways) {
			fmt.Fprintf(os.Stderr, "emulator: %v; trying the next way\n", err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("%s: %w\n%s", svc.title, errors.Join(errs...), advice)
}

const advice = `to get an emulator, do one of these:
  - run "go run ./integration/emulator/provision" in the repository (needs Go and its module proxy);
  - start a Docker engine and run it as well;
  - set BLOBDOCK_S3_ENDPOINT (with BLOBDOCK_S3_ACCESS_KEY and BLOBDOCK_S3_SECRET_KEY) to a server that runs;
    for Google Cloud Storage that is BLOBDOCK_GCS_ENDPOINT, for Azure BLOBDOCK_AZURE_ENDPOINT
    (with BLOBDOCK_AZURE_ACCOUNT and BLOBDOCK_AZURE_KEY).`
