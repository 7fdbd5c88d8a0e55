package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/docker/distribution/registry/api/errcode"
	"github.com/spf13/cobra"
	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/types"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/signatures"
)

// retries are how often a command is repeated that failed in passing.
type retries struct {
	times int
	delay time.Duration
}

func (r *retries) register(cmd *cobra.Command) {
	cmd.Flags().IntVar(&r.times, "retry-times", 0, "how often to try again what failed in passing")
	cmd.Flags().DurationVar(&r.delay, "retry-delay", 0, "wait this long before that; 1s, which doubles")
}

// run calls do until it succeeds, or fails for good.
func (r retries) run(ctx context.Context, log io.Writer, do func(context.Context) error) error {
	wait := time.Second
	for left := r.times; ; left-- {
		err := do(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return errInterrupted
		case left <= 0 || !passes(err):
			return err
		}
		if r.delay > 0 {
			wait = r.delay
		}
		fmt.Fprintf(log, "%s; trying again in %v\n", redact(err.Error()), wait)
		select {
		case <-ctx.Done():
			return errInterrupted
		case <-time.After(wait):
		}
		wait = min(2*wait, time.Minute)
	}
}

// passes reports whether an error may be gone a little later.
func passes(err error) bool {
	var (
		code     errcode.Error
		errs     errcode.Errors
		verdict  distribution.ErrBlobInvalidDigest
		missing  distribution.ErrManifestVerification
		rejected types.ManifestTypeRejectedError
		denied   docker.ErrUnauthorizedForCredentials
	)
	switch {
	case errors.As(err, &errs):
		for _, e := range errs {
			if !passes(e) {
				return false
			}
		}
		return true
	case errors.As(err, &code):
		status := code.Code.Descriptor().HTTPStatusCode
		return status >= http.StatusInternalServerError || status == http.StatusTooManyRequests
	case errors.As(err, &verdict), errors.As(err, &missing), errors.As(err, &rejected), errors.As(err, &denied), errors.Is(err, signatures.ErrInvalid):
		return false
	}
	kind := driver.KindOf(err)
	return kind == driver.Unknown || kind.Temporary()
}
